package main

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// givenPorts are those that freePorts has handed out.
var givenPorts sync.Map

// freePorts are below those that the kernel and Docker give to whoever asks for
// any, and never the same twice: they must still be free a while later.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	const first, last = 20_000, 32_000
	var ports []string
	for tries := 0; len(ports) < n; tries++ {
		require.Less(t, tries, last-first, "no free port")
		port := strconv.Itoa(first + rand.IntN(last-first))
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		require.NoError(t, l.Close())
		ports = append(ports, port)
	}
	return ports
}
