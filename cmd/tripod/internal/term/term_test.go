package term

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConsoleKeepsTheBlockApart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &Console{To: &out}
	c.Draw([]string{"done"}, []string{"one", "two"})
	_, err := c.Write([]byte("a warning\n"))
	require.NoError(t, err)
	_, err = c.Write([]byte("another\n"))
	require.NoError(t, err)
	c.Draw(nil, []string{"three"})
	c.Draw(nil, nil)
	assert.Equal(t, "done\none\ntwo\n\r\x1b[2A\x1b[Ja warning\nanother\nthree\n\r\x1b[1A\x1b[J", out.String())
}
