package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// fewHosts is the smaller of the two runs that memory per host is read from.
const fewHosts = 8

// manyHosts is the larger one: every one of them has a script waiting.
const manyHosts = 64

func median[T time.Duration | int64](all []sample, of func(sample) T) T {
	values := make([]T, len(all))
	for i, s := range all {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// printTable writes one Markdown row per tool, medians of all runs.
func printTable(w io.Writer, c config, present []peer, results map[string][]sample) {
	cpu := func(name string) float64 {
		return median(results[name], func(s sample) time.Duration { return s.cpu }).Seconds() * 1000 / float64(c.hosts)
	}
	fmt.Fprintf(w, "%d addresses of a real sshd, %d at a time, %d KB uploaded and run; medians of %d runs, client only\n\n",
		c.hosts, c.parallel, c.size>>10, c.runs)
	fmt.Fprintln(w, "| tool | CPU per host, ms | × bare | × tripod | wall, s | peak memory, MB |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, p := range present {
		all := results[p.name]
		fmt.Fprintf(w, "| %s | %.2f | %.1f | %.1f | %.1f | %.0f |\n", p.name, cpu(p.name),
			cpu(p.name)/cpu("bare x/crypto"), cpu(p.name)/cpu("tripod"),
			median(all, func(s sample) time.Duration { return s.wall }).Seconds(),
			float64(median(all, func(s sample) int64 { return s.peak }))/1e6)
	}
	fmt.Fprintln(w, "\nPeak memory is that of the largest single process: the tools that start one ssh per host use more in all.")
}

// memoryPerHost runs the work with few and with many hosts connected at once
// (the script waits, so that they really are), and returns the difference in
// peak memory per host, in bytes.
func memoryPerHost(ctx context.Context, f *field) (float64, error) {
	waiting := "#!/bin/sh\nsleep 8\n"
	waiting += "#" + strings.Repeat("x", max(0, f.size-len(waiting)-2)) + "\n"
	script, err := f.write("waiting.sh", waiting)
	if err != nil {
		return 0, err
	}
	few, err := f.write("few", strings.Join(f.hosts[:fewHosts], "\n")+"\n")
	if err != nil {
		return 0, err
	}
	many, err := f.write("many", strings.Join(f.hosts[:min(manyHosts, len(f.hosts))], "\n")+"\n")
	if err != nil {
		return 0, err
	}
	low, err := measureCommand(ctx, f.limit, f.tripodCommand(script, few, fewHosts, "state-few"))
	if err != nil {
		return 0, err
	}
	high, err := measureCommand(ctx, f.limit, f.tripodCommand(script, many, manyHosts, "state-many"))
	if err != nil {
		return 0, err
	}
	return float64(high.peak-low.peak) / float64(min(manyHosts, len(f.hosts))-fewHosts), nil
}
