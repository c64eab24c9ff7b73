package control

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
	"tripod/installer/plan"
)

// bigBatch is a body with n hosts, each with a login of its own.
func bigBatch(tb testing.TB, n int) []byte {
	tb.Helper()
	w := plan.Request{BatchID: ulid.Make().String(), Task: installer.Install, Spec: installer.Spec{Target: "telescope", HostKeys: installer.AcceptNew}}
	for i := range n {
		at := fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)
		w.Hosts = append(w.Hosts, installer.HostEntry{Host: installer.Host{
			ID: installer.InstanceID("p-one", at, 22), Name: "web", Type: installer.ECS, IntranetIPs: []string{at},
			Endpoint: installer.Endpoint{Address: at, Port: 22, User: "root"},
		}, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret(fmt.Sprintf("password of number %d", i))}}})
	}
	body, err := encode(w)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// BenchmarkDecode is the largest batch; "plain" is what encoding/json alone takes.
func BenchmarkDecode(b *testing.B) {
	body := bigBatch(b, maxItems)
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal(body, new(map[string]any)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("strict", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decode[plan.Request](body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("content", func(b *testing.B) { // what tells it from another one under the same id
		w, err := decode[plan.Request](body)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := contentOf(w); err != nil {
				b.Fatal(err)
			}
		}
	})
}
