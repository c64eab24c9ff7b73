package sshdial

import (
	"sync"

	"tripod/installer"
	"tripod/installer/sshconn"
)

// Conn is a connection, and the jump hosts it goes through.
type Conn struct {
	*sshconn.Conn
	hops []installer.Endpoint
	last *sharedConn // to the last jump host; nil: none
	once sync.Once
}

// JumpHosts are those that the connection goes through, first hop first.
func (c *Conn) JumpHosts() []installer.Endpoint { return c.hops }

// Close ends the connection and returns without waiting for the server. More
// calls do nothing.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	if c.last != nil {
		c.once.Do(c.last.release)
	}
	return err
}
