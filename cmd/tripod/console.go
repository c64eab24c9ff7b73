package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// console is stderr as everything in the program writes to it. It can hold a
// live block of lines at the bottom, which it takes away before anything else
// is printed.
type console struct {
	mu    sync.Mutex
	to    io.Writer
	block int // lines of the live block on the screen
}

// Write prints p above the live block; the block comes back with the next draw.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.block == 0 {
		return c.to.Write(p)
	}
	_, err := io.WriteString(c.to, c.erase()+string(p))
	return len(p), err
}

// draw prints the permanent lines and puts the live block underneath, in one
// write. The lines must fit the screen and be safe to show.
func (c *console) draw(permanent, block []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	b.WriteString(c.erase())
	for _, line := range permanent {
		b.WriteString(line + "\n")
	}
	for _, line := range block {
		b.WriteString(line + "\n")
	}
	c.block = len(block)
	if b.Len() > 0 {
		_, _ = io.WriteString(c.to, b.String())
	}
}

// erase returns what takes the live block away. The caller holds mu.
func (c *console) erase() string {
	if c.block == 0 {
		return ""
	}
	n := c.block
	c.block = 0
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", n)
}
