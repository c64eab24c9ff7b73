package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		code int
		says string
	}{
		{nil, 0, ""},
		{exitWith(exitHosts), 1, ""},
		{usagef("no"), 2, "tripod: no\n"},
		{usageError(errors.New("no"), "try yes"), 2, "tripod: no\nhint: try yes\n"},
		{installer.Faults{{Where: "a:1", What: "bad"}}, 2, "tripod: a:1: bad\n"},
		{installer.Faults{{Where: "a:1", What: "bad"}, {Where: "a:2", What: "worse"}}, 2, "tripod: 2 faults in the input; nothing was done:\na:1: bad\na:2: worse\n"},
		{fmt.Errorf("batch: %w", installer.ErrNotFound), 2, "tripod: batch: not found\n"},
		{exitWith(exitLimit), 3, ""},
		{installer.ErrShutdown, 4, "tripod: interrupted\n"},
		{context.Canceled, 4, "tripod: interrupted\n"},
		{fmt.Errorf("write: %w", installer.ErrStorage), 5, "tripod: write: storage error\n"},
		{fmt.Errorf("write: %w: %w", installer.ErrStorage, syscall.ENOSPC), 5, "tripod: write: storage error: no space left on device\nhint: make room where the state folder is (--state-dir), then give the command again\n"},
		{errors.New("a\x1b[2Jb\u202e"), 5, "tripod: a\\x1b[2Jb\\u202e\n"},
		{errors.Join(exitWith(exitHosts), nil), 1, ""},
	} {
		var b bytes.Buffer
		assert.Equal(t, tt.code, report(&b, tt.err), "%v", tt.err)
		assert.Equal(t, tt.says, b.String())
	}
}

func TestFailureLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text        string
		total, want int
	}{
		{"", 100, 0}, {"1", 100, 1}, {"250", 100, 250},
		{"10%", 100, 10}, {"10%", 5, 1}, {"1%", 101, 2}, {"100%", 7, 7},
		{"0", 1, -1}, {"0%", 1, -1}, {"101%", 1, -1}, {"-1", 1, -1}, {"x", 1, -1}, {"%", 1, -1}, {"1.5", 1, -1},
	} {
		got, err := (&runFlags{MaxFailures: tt.text}).failureLimit()
		if tt.want < 0 {
			assert.Error(t, err, tt.text)
			continue
		}
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, got.Of(tt.total), tt.text)
	}
}

func TestBoundParallel(t *testing.T) {
	t.Parallel()
	n, err := boundParallel(32, 1024)
	require.NoError(t, err)
	assert.Equal(t, 32, n)
	n, err = boundParallel(1000, 1024)
	require.NoError(t, err)
	assert.Equal(t, 320, n)
	n, err = boundParallel(1000, 10)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "there is always one worker")
	_, err = boundParallel(0, 1024)
	require.Error(t, err)
	assert.Positive(t, descriptorLimit())
	assert.LessOrEqual(t, descriptorLimit(), math.MaxInt32)
}

func TestReadSecretLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sesame\r":             "sesame",
		"sesame\nmore":         "sesame",
		" two words \n":        " two words ",
		"secr\x7f\x08same\r":   "sesame",
		"grüß\x7fß\r":          "grüß",
		"\x7f\x7fab\r":         "ab",
		"wrong\x15sesame\r":    "sesame",
		"bad utf-8 \xff\xfe\r": "bad utf-8 \xff\xfe",
	} {
		got, err := readSecretLine(strings.NewReader(in))
		require.NoError(t, err, "%q", in)
		assert.Equal(t, want, string(got), "%q", in)
	}
	for in, want := range map[string]error{
		"\r": errPromptEnded, "": errPromptEnded, "cut off": errPromptEnded, "x\x04": errPromptEnded, "x\x03": installer.ErrShutdown,
	} {
		_, err := readSecretLine(strings.NewReader(in))
		require.ErrorIs(t, err, want, "%q", in)
	}
	_, err := readSecretLine(strings.NewReader(strings.Repeat("x", 70<<10)))
	require.Error(t, err)
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "/var/lib/tripod", shellQuote("/var/lib/tripod"))
	assert.Equal(t, `'/my dir'`, shellQuote("/my dir"))
	assert.Equal(t, `'it'\''s $(x)'`, shellQuote("it's $(x)"))
	assert.Equal(t, "''", shellQuote(""))
}
