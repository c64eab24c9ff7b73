package hostshell

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testNonce = "0123456789abcdef0123456789abcdef"

func TestFramesInPieces(t *testing.T) {
	t.Parallel()
	say := func(text string) string { return "tripod: " + testNonce + " " + text + "\n" }
	stream := "motd\n" + say("host uid=0 machine=%78%38%36") + "noise" + say("begin") +
		"out 1\ntripod: end state=exited\n" + "no line end" + say("beat") + "\x00\xff\r\ntripod: 0123" +
		say("end state=exited code=3 by=a.1") + "afterwards"
	for size := 1; size <= len(stream); size++ {
		var out bytes.Buffer
		var found []Finding
		f := newFrames(testNonce, &out, func(one Finding) { found = append(found, one) })
		for rest := []byte(stream); len(rest) > 0; {
			n := min(size, len(rest))
			wrote, err := f.Write(rest[:n])
			require.NoError(t, err)
			require.Equal(t, n, wrote)
			rest = rest[n:]
		}
		noise, written := f.close()
		require.Equal(t, "out 1\ntripod: end state=exited\nno line end\x00\xff\r\ntripod: 0123", out.String(), "in pieces of %d", size)
		require.EqualValues(t, out.Len(), written)
		require.Equal(t, "motd\nnoiseafterwards", noise)
		require.Equal(t, []Finding{
			{"host", map[string]string{"uid": "0", "machine": "x86"}}, {"begin", map[string]string{}}, {"beat", map[string]string{}},
			{"end", map[string]string{"state": "exited", "code": "3", "by": "a.1"}},
		}, found)
	}
}

func TestFramesHoldLittleBack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newFrames(testNonce, &out, nil)
	_, _ = f.Write([]byte("tripod: " + testNonce + " begin\nline\n"))
	assert.Equal(t, "line\n", out.String(), "shown at once")
	_, _ = f.Write([]byte("trip"))
	assert.Equal(t, "line\n", out.String())
	_, written := f.close()
	assert.Equal(t, "line\ntrip", out.String())
	assert.EqualValues(t, 9, written)
	_, _ = f.Write([]byte("late"))
	assert.Equal(t, "line\ntrip", out.String())
}

func TestFramesBounds(t *testing.T) {
	t.Parallel()
	var found []Finding
	f := newFrames(testNonce, nil, func(one Finding) { found = append(found, one) })
	_, _ = f.Write(bytes.Repeat([]byte("noise "), 1<<16))
	_, _ = f.Write([]byte("tripod: " + testNonce + " host uid="))
	for range 1000 {
		_, _ = f.Write(bytes.Repeat([]byte{'9'}, 1000))
	}
	assert.LessOrEqual(t, cap(f.pending), 2*maxFrame)
	_, _ = f.Write([]byte("\ntripod: " + testNonce + " host uid=0\n"))
	require.Len(t, found, 1, "the long one is dropped, the next one is read")
	assert.Equal(t, "0", found[0].Get("uid"))
	noise, _ := f.close()
	assert.Len(t, noise, maxNoise)
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("tripod: "+testNonce+" host uid=0 kernel=Linux arch=amd64\ntripod: "+testNonce+" end fits=yes\n"), 7)
	f.Add([]byte("tripod: "+testNonce+" begin\nout"+"tripod: "+testNonce+" end state=exited code=256 age=-1\n"), 3)
	f.Add([]byte("tripod: "+testNonce+" have sha=\n\x00tripod: "+testNonce+"\n\ntripod: "), 64)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = max(1, size&0xff)
		whole, pieces := readAll(stream, len(stream)+1), readAll(stream, size)
		require.Equal(t, whole, pieces, "the pieces in which a stream comes change nothing")
	})
}

type readResult struct {
	found   []Finding
	out     string
	noise   string
	written int64
}

func readAll(stream []byte, size int) readResult {
	var r readResult
	var out bytes.Buffer
	f := newFrames(testNonce, &out, func(one Finding) { r.found = append(r.found, one) })
	for len(stream) > 0 {
		n := min(size, len(stream))
		_, _ = f.Write(stream[:n])
		stream = stream[n:]
	}
	r.noise, r.written = f.close()
	r.out = out.String()
	return r
}
