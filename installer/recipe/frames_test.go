package recipe

import (
	"bytes"
	"fmt"
	"strings"
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
		var found findings
		f := newFrames(testNonce, &out, found.add)
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
		require.Equal(t, "x86", found.machine)
		require.Equal(t, runState{state: "exited", code: 3, by: "a.1"}, found.run)
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
	var found findings
	f := newFrames(testNonce, nil, found.add)
	_, _ = f.Write(bytes.Repeat([]byte("noise "), 1<<16))
	_, _ = f.Write([]byte("tripod: " + testNonce + " host uid="))
	for range 1000 {
		_, _ = f.Write(bytes.Repeat([]byte{'9'}, 1000))
	}
	assert.LessOrEqual(t, cap(f.line), 2*maxFrame)
	_, _ = f.Write([]byte("\ntripod: " + testNonce + " host uid=0\n"))
	assert.Equal(t, "0", found.uid, "the long one is dropped, the next one is read")
	for i := range 10 * maxFindings {
		found.add(parseFinding(fmt.Sprintf("have sha=%d", i)))
		found.add(parseFinding("tried place=/x why=y"))
	}
	assert.Len(t, found.have, maxFindings)
	assert.Len(t, found.tried, maxFindings)
	noise, _ := f.close()
	assert.Len(t, noise, maxNoise)
}

func TestHostilePathsAreNotUsed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/var/lib/tripod": true, "/root/.tripod": true, "/tmp/sshtest-1/root/tmp/tripod.0a": true,
		"": false, "var": false, "/": false, "/a/../etc": false, "/a/..": false, "/a b": false, "/a;rm": false, "/a\n": false,
		"/$(id)": false, "//a": false, "/" + strings.Repeat("a", 2000): false,
	} {
		assert.Equal(t, want, isSafePath(path), "%q", path)
	}
	var found findings
	found.add(parseFinding("place root=/tmp/$(reboot) free=99999999999999999999999"))
	assert.Empty(t, found.root)
	found.add(parseFinding("place root=/var/lib/tripod free=99999999999999999999999"))
	assert.Zero(t, found.freeKiB)
}

func FuzzFindings(f *testing.F) {
	f.Add([]byte("tripod: "+testNonce+" host uid=0 kernel=Linux arch=amd64\ntripod: "+testNonce+" end fits=yes\n"), 7)
	f.Add([]byte("tripod: "+testNonce+" begin\nout"+"tripod: "+testNonce+" end state=exited code=256 age=-1\n"), 3)
	f.Add([]byte("tripod: "+testNonce+" place root=/%2e%2e/x free=zz\ntripod: "+testNonce+" failed\n"), 1)
	f.Add([]byte("tripod: "+testNonce+" have sha=\n\x00tripod: "+testNonce+"\n\ntripod: "), 64)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		size = max(1, size&0xff)
		whole, pieces := readAll(stream, len(stream)+1), readAll(stream, size)
		require.Equal(t, whole, pieces, "the pieces in which a stream comes change nothing")
		if whole.found.root != "" {
			require.True(t, isSafePath(whole.found.root))
			_, err := commandLine(plainly, "run", "root="+whole.found.root)
			require.NoError(t, err)
		}
		require.LessOrEqual(t, whole.found.run.code, 255)
		require.GreaterOrEqual(t, whole.found.run.age, int64(0))
	})
}

type readResult struct {
	found   findings
	out     string
	noise   string
	written int64
}

func readAll(stream []byte, size int) readResult {
	var r readResult
	var out bytes.Buffer
	f := newFrames(testNonce, &out, r.found.add)
	for len(stream) > 0 {
		n := min(size, len(stream))
		_, _ = f.Write(stream[:n])
		stream = stream[n:]
	}
	r.noise, r.written = f.close()
	r.out = out.String()
	return r
}
