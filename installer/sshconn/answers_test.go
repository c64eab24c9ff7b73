package sshconn

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/crypto/ssh"
)

// busy is a connection with many requests before ours.
type busy struct {
	ssh.Conn
	ended chan struct{}
}

func (b busy) SendRequest(string, bool, []byte) (bool, []byte, error) {
	<-b.ended
	return false, nil, io.EOF
}

// TestOneThatAnswersOthersIsThere: requests have their answers one after the other,
// so where many targets are dead at once ours may not have come yet.
func TestOneThatAnswersOthersIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Conn{ssh: busy{ended: make(chan struct{})}, wire: &wire{}}
		defer close(c.ssh.(busy).ended)
		assert.False(t, c.answers(t.Context(), answerWithin), "nothing is heard from it")
		go func() {
			time.Sleep(answerWithin / 2)
			c.wire.reads.Add(1)
		}()
		assert.True(t, c.answers(t.Context(), answerWithin))
		assert.False(t, c.answers(t.Context(), answerWithin), "nor since then")
	})
}
