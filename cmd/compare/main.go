// Command compare measures Tripod beside a bare x/crypto loop and beside the
// tools that people use for the same work, all in one run on one machine:
// many addresses of a real sshd, a script of 100 KB sent to each and run. No
// two runs send the same content, so that no tool finds it there.
// `make compare` prints the tables of docs/performance.md.
//
// Absolute figures belong to the machine they were measured on; the ratios are
// what to quote. A tool that is not installed is left out and named.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// config is one comparison.
type config struct {
	hosts    int
	parallel int
	size     int
	runs     int
	tripod   string
	gossh    string
	only     string
	limit    time.Duration
	rtt      time.Duration
}

func main() {
	var c config
	flag.IntVar(&c.hosts, "hosts", 200, "addresses of the sshd")
	flag.IntVar(&c.parallel, "parallel", 32, "hosts at a time")
	flag.IntVar(&c.size, "size", 100<<10, "bytes of the script")
	flag.IntVar(&c.runs, "runs", 3, "runs of each tool; medians are printed")
	flag.StringVar(&c.tripod, "tripod", "bin/tripod", "the binary to measure")
	flag.StringVar(&c.gossh, "gossh", "gossh", "the binary of github.com/windvalley/gossh")
	flag.StringVar(&c.only, "only", "", "only these tools, with commas: tripod,asyncssh,gossh,…; the bare loop is always there")
	flag.DurationVar(&c.limit, "limit", 5*time.Minute, "longest time of one run of one tool")
	flag.DurationVar(&c.rtt, "rtt", 50*time.Millisecond, "round trip to the far hosts")
	var b bareWork
	flag.StringVar(&b.key, "bare", "", "internal: be the bare loop with this private key")
	flag.StringVar(&b.hosts, "bare-hosts", "", "internal: its file of hosts")
	flag.StringVar(&b.port, "bare-port", "", "internal: their port")
	flag.StringVar(&b.command, "bare-command", "", "internal: what it runs")
	flag.StringVar(&b.send, "bare-send", "", "internal: the file that it sends by SFTP instead")
	flag.Parse()
	b.parallel = c.parallel

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if b.key != "" {
		err = bareLoop(ctx, b)
	} else {
		err = compare(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func compare(ctx context.Context, c config) error {
	f, err := newField(ctx, c)
	if err != nil {
		return err
	}
	defer f.close()
	far, err := newFar(f.hosts, c.rtt)
	if err != nil {
		return err
	}
	defer far.close()

	var present []peer
	for _, p := range f.peers() {
		if c.only != "" && p.name != bare && !slices.Contains(strings.Split(c.only, ","), p.name) {
			continue
		}
		if err := p.available(); err != nil {
			fmt.Fprintf(os.Stderr, "LEFT OUT: %s: %v\n", p.name, err)
			continue
		}
		present = append(present, p)
	}
	m := measurement{field: f, present: present, far: far}
	near, err := m.rounds(ctx, c.runs, c.hosts, fieldPort)
	if err != nil {
		return err
	}
	farOne, err := m.rounds(ctx, max(c.runs, 5), 1, farPort)
	if err != nil {
		return err
	}
	farMany, err := m.rounds(ctx, c.runs, min(c.hosts, 100), farPort)
	if err != nil {
		return err
	}
	memory, err := m.memory(ctx)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	started, err := m.processes(ctx)
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	sent, err := m.largeFile(ctx)
	if err != nil {
		return fmt.Errorf("large file: %w", err)
	}
	printTools(os.Stdout, m, near, farOne, farMany, memory, started)
	printGoals(os.Stdout, m, near, farOne, farMany, memory, started, sent)
	return nil
}
