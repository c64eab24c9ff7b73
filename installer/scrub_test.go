package installer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func scrub(t testing.TB, secrets []string, chunks ...string) string {
	t.Helper()
	var all []installer.Secret
	for _, s := range secrets {
		all = append(all, installer.NewSecret(s))
	}
	var out bytes.Buffer
	s := installer.NewScrubber(&out, all)
	for _, c := range chunks {
		n, err := s.Write([]byte(c))
		require.NoError(t, err)
		require.Equal(t, len(c), n)
	}
	require.NoError(t, s.Flush())
	return out.String()
}

func TestScrubber(t *testing.T) {
	t.Parallel()
	const pw = "p@ss wörd/1"
	key := "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAABBBBCCCCDDDDEEEE\nFFFFGGGGHHHHIIIIJJJJ\n-----END OPENSSH PRIVATE KEY-----\n"
	tests := []struct {
		name    string
		secrets []string
		in      []string
		want    string
	}{
		{"nothing to hide", nil, []string{"plain"}, "plain"},
		{"in the middle", []string{pw}, []string{"a " + pw + " b"}, "a [redacted] b"},
		{"across chunks", []string{"secret"}, []string{"xse", "cr", "ety"}, "x[redacted]y"},
		{"false start", []string{"secret"}, []string{"sec", "tor"}, "sector"},
		{"false start, then the real one", []string{"aab-secret"}, []string{"aa", "aab-secret"}, "aa[redacted]"},
		{"longer one wins across chunks", []string{"abcd", "abcdefgh"}, []string{"abcd", "efgh!"}, "[redacted]!"},
		{"shorter one at the end of all", []string{"abcd", "abcdefgh"}, []string{"abcde"}, "[redacted]e"},
		{"shorter inside a held tail", []string{"abcd", "xxabcdyy"}, []string{"xxabcd"}, "xx[redacted]"},
		{"base64", []string{pw}, []string{base64.StdEncoding.EncodeToString([]byte(pw))}, "[redacted]"},
		{"hex", []string{pw}, []string{hex.EncodeToString([]byte(pw))}, "[redacted]"},
		{"URL", []string{pw}, []string{"p%40ss+w%C3%B6rd%2F1"}, "[redacted]"},
		{"JSON", []string{`a"\<b>`}, []string{`{"SecretKey": "a\"\\<b>"}`}, `{"SecretKey": "[redacted]"}`},
		{"a line of a file", []string{"user: tripod\npassword: 0123456789\n"}, []string{"+ password: 0123456789"}, "+ [redacted]"},
		{"lines of a key", []string{key}, []string{"x\nAAAABBBBCCCCDDDDEEEE\ny"}, "x\n[redacted]\ny"},
		{"too short to look for", []string{"abc"}, []string{"abcabc"}, "abcabc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, scrub(t, tt.secrets, tt.in...))
		})
	}
}

// However the output is cut into pieces, what comes out is the same, and the
// secret is not in it.
func FuzzScrubber(f *testing.F) {
	f.Add("abcd", "xabcdefgh", "zzabcdabcdefghabc", uint8(3))
	f.Add("aaaa", "aaaab", "aaaaaaaaaab", uint8(1))
	f.Fuzz(func(t *testing.T, a, b, text string, size uint8) {
		if len(a) < 4 || len(b) < 4 || strings.Contains("[redacted]", a) || strings.Contains("[redacted]", b) {
			t.Skip("too short to be looked for, or part of the mark itself")
		}
		whole := scrub(t, []string{a, b}, text)
		var chunks []string
		for rest := text; rest != ""; {
			n := min(int(size%16)+1, len(rest))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		if got := scrub(t, []string{a, b}, chunks...); got != whole {
			t.Fatalf("cut into %d: %q, whole: %q", size%16+1, got, whole)
		}
		for _, s := range []string{a, b} {
			for piece := range strings.SplitSeq(whole, "[redacted]") {
				if strings.Contains(piece, s) && !strings.Contains(s, "-----BEGIN") {
					t.Fatalf("%q is in %q", s, whole)
				}
			}
		}
	})
}

func BenchmarkScrubber(b *testing.B) {
	line := []byte(strings.Repeat("install: copying file number 12345 to /usr/local/telescope/bin\n", 500))
	for _, secrets := range []int{0, 1, 4} {
		b.Run(fmt.Sprint(secrets, "-secrets"), func(b *testing.B) {
			var all []installer.Secret
			for i := range secrets {
				all = append(all, installer.NewSecret(fmt.Sprintf("Pa55word-%d-xyz", i)))
			}
			s := installer.NewScrubber(discard{}, all)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Write(line)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
