package plaintext_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/plaintext"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "agent 1.2.3 läuft 中文", "agent 1.2.3 läuft 中文"},
		{"empty", "", ""},
		{"clear screen", "\x1b[2J\x1b[H", `\x1b[2J\x1b[H`},
		{"line ends", "a\r\nb\tc", `a\r\nb\tc`},
		{"bidi", "abc\u202efed\u2069", `abc\u202efed\u2069`},
		{"zero width", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"C1 control", "\u009b31m", `\x9b31m`},
		{"C1 as bytes", "\x9b31m", `\x9b31m`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"DEL and NUL", "\x7f\x00", `\x7f\x00`},
		{"bad UTF-8", "a\xff\xfeb", `a\xff\xfeb`},
		{"real U+FFFD", "a\ufffdb", "a\ufffdb"},
		{"tag characters", "\U000e0041", `\U000e0041`},
		{"backslash", `C:\x`, `C:\x`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, plaintext.Line(tt.in))
		})
	}
}

func TestTextKeepsLines(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a\n\tb\nc\\rd\\x1b", plaintext.Text("a\n\tb\r\nc\rd\x1b"))
}

func FuzzText(f *testing.F) {
	f.Add("über\r\n\x1b[0m\u202e\xff")
	f.Add("\r\r\n\r")
	f.Add("\xe2\x80\xae\xe2\x80")
	f.Fuzz(func(t *testing.T, s string) {
		text := plaintext.Text(s)
		require.True(t, utf8.ValidString(text))
		for _, r := range text {
			require.True(t, r == '\n' || r == '\t' || unicode.IsPrint(r), "%q", r)
		}
		for _, r := range plaintext.Line(s) {
			require.True(t, unicode.IsPrint(r), "%q", r)
		}
	})
}
