package recipe

import (
	"fmt"
	"strings"
	"testing"

	"tripod/installer"
	"tripod/installer/sshdial"
	"tripod/installer/sshtest"
)

// BenchmarkScript is the whole way of one host, from dialling to the removed run
// folder, with a script of 100 KB. The time is mostly the host's own: its
// processes run on this machine too.
func BenchmarkScript(b *testing.B) {
	srv := sshtest.Start(b, sshtest.Config{})
	blobs := &memBlobs{}
	ref := blobs.put("job.sh", []byte("#!/bin/sh\nexit 0\n"+strings.Repeat("# padding\n", 10<<10)))
	dialer := sshdial.New(sshdial.Config{})
	b.Cleanup(func() { _ = dialer.Close() })
	r := New(Config{Dial: dialWith(dialer), Blobs: blobs})
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("inv-%d", i)
		_, err := r.Work(b.Context(), &installer.Job{
			Invocation: &installer.Invocation{
				ID: id, ProjectID: "p", RunID: id, Host: installer.Host{ID: "h", Endpoint: srv.Endpoint("root")},
				Spec: installer.Spec{Target: fmt.Sprintf("t-%d", i), Script: &ref, HostKeys: installer.Insecure},
			},
			Credentials: installer.Credentials{Login: srv.Login("root")},
			Begin:       func(installer.Step) {},
			Note:        discardNote,
			Journal:     discardJournal,
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
