// Command compare measures Tripod beside a bare x/crypto loop and beside the
// tools that people use for the same work, all in one run on one machine:
// many addresses of a real sshd, a script of 100 KB uploaded to each and run.
// `make compare` prints the table of docs/performance.md.
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
	"time"
)

// config is one comparison.
type config struct {
	hosts    int
	parallel int
	size     int
	runs     int
	tripod   string
	limit    time.Duration
	quick    bool
}

func main() {
	var c config
	flag.IntVar(&c.hosts, "hosts", 200, "addresses of the sshd")
	flag.IntVar(&c.parallel, "parallel", 32, "hosts at a time")
	flag.IntVar(&c.size, "size", 100<<10, "bytes of the script")
	flag.IntVar(&c.runs, "runs", 3, "runs of each tool; medians are printed")
	flag.StringVar(&c.tripod, "tripod", "bin/tripod", "the binary to measure")
	flag.DurationVar(&c.limit, "limit", 5*time.Minute, "longest time of one run of one tool")
	flag.BoolVar(&c.quick, "quick", false, "only tripod and the bare loop")
	bare := flag.String("bare", "", "internal: be the bare loop over the field in this folder")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *bare != "" {
		err = bareLoop(ctx, *bare, c.parallel)
	} else {
		err = compare(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// compare runs every tool c.runs times, in turn, so that a drift of the
// machine's speed hits all of them.
func compare(ctx context.Context, c config) error {
	f, err := newField(ctx, c)
	if err != nil {
		return err
	}
	defer f.close()

	var present []peer
	for i, p := range peers(f) {
		if c.quick && i >= 2 {
			break
		}
		if err := p.available(); err != nil {
			fmt.Fprintf(os.Stderr, "left out: %s: %v\n", p.name, err)
			continue
		}
		present = append(present, p)
	}
	results := map[string][]sample{}
	for run := range c.runs {
		for _, p := range present {
			s, err := p.measure(ctx, f, run)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			fmt.Fprintf(os.Stderr, "run %d: %-16s cpu %6.2f ms/host, wall %5.1f s, peak %6.1f MB\n",
				run+1, p.name, s.cpu.Seconds()*1000/float64(c.hosts), s.wall.Seconds(), float64(s.peak)/1e6)
			results[p.name] = append(results[p.name], s)
		}
	}
	perHost, err := memoryPerHost(ctx, f)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	printTable(os.Stdout, c, present, results)
	fmt.Printf("\nMemory per concurrent host of tripod (peak at %d at once less peak at %d, by the difference): %.0f KB\n",
		manyHosts, fewHosts, perHost/1000)
	return nil
}
