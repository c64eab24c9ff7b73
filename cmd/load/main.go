// Command load puts a daemon under the load that docs/performance.md speaks
// of: many clients submit large requests at once, then long lists are paged, and
// then healthy hosts wait behind dead ones. `make load` prints that document's tables.
//
// The hosts are addresses of 127.0.0.0/8 on a port where nothing listens, each
// a host of its own, so what is measured is the daemon, not sshd: every
// invocation is accepted, sealed, claimed, dialled twice (a refused connection
// is tried again after 5 s) and ends FAILED.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// config is one measurement.
type config struct {
	clients  int
	requests int
	hosts    int
	parallel int
	listed   int
	samples  int
	fleet    int
	tripod   string
	limit    time.Duration
}

func main() {
	var c config
	flag.IntVar(&c.clients, "clients", 16, "clients at once")
	flag.IntVar(&c.requests, "requests", 200, "requests of all clients together")
	flag.IntVar(&c.hosts, "hosts", 100, "hosts per request, at most 100")
	flag.IntVar(&c.parallel, "parallel", 128, "hosts that the daemon works on at once")
	flag.IntVar(&c.listed, "listed", 100_000, "invocations in the list that is paged")
	flag.IntVar(&c.samples, "samples", 50, "requests for each kind of page; medians are printed")
	flag.IntVar(&c.fleet, "fleet", 10_000, "hosts of which three of ten are dead; 0: leave that out")
	flag.StringVar(&c.tripod, "tripod", "bin/tripod", "the binary to measure")
	flag.DurationVar(&c.limit, "limit", 10*time.Minute, "longest time until all have ended")
	flag.Parse()
	if c.hosts < 1 || c.hosts > 100 || c.clients < 1 || c.requests < 1 || c.samples < 1 || c.listed < 100 {
		flag.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := submission(ctx, c)
	if err == nil {
		err = paging(ctx, c)
	}
	if err == nil && c.fleet > 0 {
		err = dead(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
