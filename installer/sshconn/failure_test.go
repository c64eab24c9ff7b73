package sshconn

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
)

func TestQuoteIsSafe(t *testing.T) {
	t.Parallel()
	got := Quote("a\x1b[31m\u202eb\nhunter2"+strings.Repeat("x", 1000), installer.NewSecret("hunter2"))
	assert.NotContains(t, got, "hunter2")
	assert.NotContains(t, got, "\x1b")
	assert.NotContains(t, got, "\u202e")
	assert.NotContains(t, got, "\n")
	assert.Less(t, len(got), 300)
}
