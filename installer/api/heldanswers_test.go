package api_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestD14AnswersThatNobodyTakes: who opens no window for answers over HTTP/2, without a login
// or with one that may only look, has the server hold its share of the budget and no
// more. Not parallel: it measures the heap.
func TestD14AnswersThatNobodyTakes(t *testing.T) {
	const (
		connections = 24
		streams     = 32
		most        = 32 << 20 // in bytes, of the budget
		garbage     = 16 << 20 // that nobody has collected yet
	)
	var fields []string
	for i := range 600 {
		fields = append(fields, fmt.Sprintf("x%x", i), "")
	}
	for name, tc := range map[string]struct {
		repeat int // of the connections: more than one peer may have
		path   string
		fields func(*rig) []string
	}{
		"large headers without a login": {4, listing, func(*rig) []string { return fields }},
		"large answers": {1, "/large", func(r *rig) []string {
			return []string{"x-auth-token", readOnly(r, "").Get("X-Auth-Token")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := certificate(t)
			r := newRig(t, func(c *api.Config) {
				c.Routes = []api.Route{{Method: http.MethodGet, Pattern: "/large", Handle: func(*api.Request) (any, error) {
					return strings.Repeat("x", 512<<10), nil
				}}}
			})
			api.QuarterRoom(r.handler)
			api.RoomWait(r.handler, time.Hour)
			address, _ := serve(t, api.ServerConfig{Handler: r.handler, CertFile: cert, KeyFile: key})
			secure := trusting(t, cert)
			secure.NextProtos = []string{"h2"}
			head := []string{":method", "GET", ":scheme", "https", ":path", tc.path, ":authority", "localhost"}
			header := block(append(head, tc.fields(r)...))
			out := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
			out = append(out, frame(4, 0, 0, []byte{0, 4, 0, 0, 0, 0})...) // SETTINGS: no window
			for s := range uint32(streams) {
				out = append(out, frame(1, 5, 2*s+1, header)...) // the header, which is all
			}
			before, highest := heap(), uint64(0)
			for range connections * tc.repeat {
				conn, err := tls.Dial("tcp", address, secure)
				require.NoError(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				_, _ = conn.Write(out)
				if held := heap(); held > before {
					highest = max(highest, held-before)
				}
			}
			require.Less(t, highest, uint64(most+garbage))
			require.LessOrEqual(t, api.RoomHeld(r.handler), int64(most))
		})
	}
}

// frame is one of HTTP/2.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), stream)
	return append(b, payload...)
}

// block is a header of names and values of less than 127 bytes in HTTP/2's encoding.
func block(fields []string) (b []byte) {
	for i, s := range fields {
		if i%2 == 0 {
			b = append(b, 0)
		}
		b = append(append(b, byte(len(s))), s...)
	}
	return b
}
