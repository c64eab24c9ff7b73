package hostshell

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestLateQuestion: the password that was sent because nothing came is the answer to the question that comes later,
// if the program has read it; a terminal drops what is typed before a question.
func TestLateQuestion(t *testing.T) {
	t.Parallel()
	for _, terminal := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			host := fakeHost(func(cmd installer.Command, sent <-chan string) int {
				said := cmd.Stderr
				if terminal {
					said = cmd.Stdout
				}
				_, _ = io.WriteString(said, "tripod-ways: 1000 sudo\nsudo: unable to resolve host x: ")
				assert.Equal(t, "secret\n", <-sent)
				time.Sleep(10 * time.Second)
				_, _ = io.WriteString(said, "Name or service not known\n"+sudoPrompt)
				if terminal {
					assert.Equal(t, "secret\n", <-sent)
				}
				time.Sleep(time.Second)
				_, _ = io.WriteString(cmd.Stdout, readyLine)
				<-sent
				return 7
			})
			s := New(host, installer.NewSecret("secret"), "tag", "")
			s.Become, s.Terminal = Sudo, terminal
			reply, err := s.Ask(t.Context(), Request{Files: KillFiles, Verb: "kill"})
			require.NoError(t, err)
			assert.Equal(t, 7, reply.Code)
		})
	}
}
