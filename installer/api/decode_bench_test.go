package api_test

import (
	"testing"

	"tripod/installer/api"
)

// BenchmarkDecodeCreate is a body of as many hosts as one may have.
func BenchmarkDecodeCreate(b *testing.B) {
	body := []byte(remoteInstall(entries(100)...))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := api.DecodeCreate(body); err != nil {
			b.Fatal(err)
		}
	}
}
