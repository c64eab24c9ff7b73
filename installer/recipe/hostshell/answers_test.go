package hostshell

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// heard is what a request got of a stream.
type heard struct {
	found  []Finding
	out    string
	reply  Reply
	fault  string
	begins bool
}

// hear has stream read in pieces of size, HELLO standing for the line that only this conversation has.
func hear(stream string, size int, terminal bool) heard {
	a := newAnswers(Sudo, terminal)
	stream = strings.ReplaceAll(stream, "HELLO\n", string(a.hello))
	var h heard
	var out bytes.Buffer
	a.attach(Request{Output: &out, Each: func(f Finding) { h.found = append(h.found, f) }})
	for rest := []byte(stream); len(rest) > 0; {
		n := min(size, len(rest))
		a.stdout(rest[:n])
		rest = rest[n:]
	}
	h.reply, h.fault = a.detach()
	h.out, h.begins = out.String(), a.begun
	return h
}

func TestAnswersInPieces(t *testing.T) {
	t.Parallel()
	const stream = "motd\n: host uid=7\nno line end" + "HELLO\n: host uid=0 machine=%78%38%36\n" +
		"o 25\n: end state=exited\n. 0\nx\n" + "o 5\n\x00\xff\r\n!: end state=exited code=3\n. 4\n"
	for size := 1; size <= len(stream); size++ {
		h := hear(stream, size, false)
		require.Empty(t, h.fault)
		require.True(t, h.reply.Complete)
		require.Equal(t, 4, h.reply.Code)
		require.Equal(t, "motd\n: host uid=7\nno line end", h.reply.Noise, "in pieces of %d", size)
		require.Equal(t, []Finding{
			{"host", map[string]string{"uid": "0", "machine": "x86"}}, {"end", map[string]string{"state": "exited", "code": "3"}},
		}, h.found)
		require.EqualValues(t, len(h.out), h.reply.Written)
		require.Equal(t, ": end state=exited\n. 0\nx\n\x00\xff\r\n!", h.out, "each byte, and no answer in it")
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]string{
		"word":             "hello there\n",
		"empty line":       "\n",
		"long line":        ": host " + strings.Repeat("x", maxHeader) + "\n",
		"line with no end": strings.Repeat("x", 3*maxHeader),
		"no length":        "o \nx",
		"negative length":  "o -1\nx",
		"zero length":      "o 0\n",
		"large length":     fmt.Sprintf("o %d\nx", maxOutput+1),
		"huge length":      "o 99999999999999999999\nx",
		"no code":          ". \n",
		"large code":       ". 256\n",
		"after the end":    ". 0\n: host uid=0\n",
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			h := hear("HELLO\n"+stream+": host uid=0\n", size, false)
			assert.Contains(t, h.fault, "does not keep to the protocol", name)
			assert.Empty(t, h.found, name)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	a := newAnswers(Sudo, false)
	for range 1000 {
		a.stdout(bytes.Repeat([]byte("noise "), 1000))
	}
	assert.Len(t, a.noise, maxNoise)
	assert.Less(t, cap(a.pending), 1<<14)
	a.stdout(a.hello)
	for range 1000 {
		a.stdout(bytes.Repeat([]byte("x"), 1000))
	}
	assert.Less(t, cap(a.pending), 3*maxHeader)
}

func TestAnswersOnATerminal(t *testing.T) {
	t.Parallel()
	h := hear("tripod-asks:\r\ntripod-ready\r\nHELLO\n: host uid=0\n. 0\n", 5, true)
	assert.Empty(t, h.fault)
	assert.True(t, h.reply.Complete)
	assert.Equal(t, "0", h.found[0].Get("uid"))
}

// answering is a host that answers each conversation's first request, says more, and then does rest.
func answering(more string, rest func(sent <-chan string)) fakeHost {
	return func(cmd installer.Command, sent <-chan string) int {
		_, hello, _ := strings.Cut(<-sent, "printf '%s\\n' ")
		hello, _, _ = strings.Cut(hello, "\n")
		_, _ = io.WriteString(cmd.Stdout, hello+"\n: host uid=0\n. 0\n"+more)
		rest(sent)
		return 0
	}
}

// TestBetweenTwoRequests: an answer that nobody asked for ends the next one at once; a conversation that the
// host has ended is followed by another.
func TestBetweenTwoRequests(t *testing.T) {
	t.Parallel()
	q := Request{Files: KillFiles, Verb: "kill"}
	for more, says := range map[string]string{". 0\n": "an answer that nobody asked for", "": ""} {
		synctest.Test(t, func(t *testing.T) {
			s := New(answering(more, func(sent <-chan string) {
				for range sent { // never answers
					if more == "" {
						return
					}
				}
			}), installer.Secret{}, "tag", "")
			defer s.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			_, err := s.Ask(ctx, q)
			require.NoError(t, err)
			synctest.Wait()
			began := time.Now()
			reply, err := s.Ask(ctx, q)
			assert.Zero(t, time.Since(began))
			if says != "" {
				require.ErrorContains(t, err, says)
				return
			}
			require.NoError(t, err)
			assert.True(t, reply.Complete)
		})
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("HELLO\n: host uid=0 kernel=Linux arch=amd64\n: end fits=yes\n. 0\n", 7, false)
	f.Add("motdHELLO\n: begin\no 3\nout: end state=exited code=256 age=-1\n", 3, false)
	f.Add("HELLO\no 2\n\r\n", 3, true)
	f.Add("\r\nHELLO\n: have sha=\n\x00o 1\no", 64, true)
	f.Fuzz(func(t *testing.T, stream string, size int, terminal bool) {
		size = max(1, size&0xff)
		require.Equal(t, hear(stream, 1<<20, terminal), hear(stream, size, terminal), "the pieces in which a stream comes change nothing")
	})
}
