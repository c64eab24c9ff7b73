// Package plainssh is what the tests of test hosts do with x/crypto's client.
package plainssh

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// Run returns stdout, then stderr (no order between them is promised), and the
// exit code.
func Run(t *testing.T, c *ssh.Client, line, stdin string) (string, int) {
	t.Helper()
	ss, err := c.NewSession()
	require.NoError(t, err)
	defer ss.Close()
	ss.Stdin = strings.NewReader(stdin)
	var stdout, stderr strings.Builder
	ss.Stdout, ss.Stderr = &stdout, &stderr
	err = ss.Run(line)
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		return stdout.String() + stderr.String(), exit.ExitStatus()
	}
	require.NoError(t, err)
	return stdout.String() + stderr.String(), 0
}

// Answers replies to each question with the next one, the last one for ever.
func Answers(asked *[]string, list ...string) ssh.AuthMethod {
	return ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
		var out []string
		for _, q := range questions {
			*asked = append(*asked, q)
			out = append(out, list[0])
			if len(list) > 1 {
				list = list[1:]
			}
		}
		return out, nil
	})
}
