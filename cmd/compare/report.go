package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

type rounds = map[string][]sample

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// ratio is the median of a's values over b's of the same round; "–" where one is missing.
func ratio[T any](a, b []T, of func(T) float64) string {
	if len(a) == 0 || len(a) != len(b) {
		return "–"
	}
	var all []float64
	for i := range a {
		all = append(all, of(a[i])/of(b[i]))
	}
	return fmt.Sprintf("%.2f", median(all))
}

func wall(s sample) float64    { return s.wall.Seconds() }
func cpu(s sample) float64     { return s.cpu.Seconds() }
func itself(v float64) float64 { return v }

func middle(all []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range all {
		values = append(values, of(s))
	}
	return median(values)
}

// printTools writes a row per tool: medians.
func printTools(w io.Writer, m measurement, near, farOne, farMany rounds, memory map[string][]float64, started map[string]float64) {
	fmt.Fprintf(w, "%d addresses of a real sshd, %d at a time, %d KB sent and run; medians of %d runs, client only; far: %v round trip\n\n",
		m.config.hosts, m.parallel, m.size>>10, m.runs, m.far.rtt.Round(time.Millisecond))
	fmt.Fprintln(w, "| tool | CPU per host, ms | × bare | wall, s | × bare | 1 far host, s | 100 far hosts, s | peak memory, MB | per host, KB | processes per host |")
	fmt.Fprintln(w, "| --- |"+strings.Repeat(" ---: |", 9))
	for _, p := range m.present {
		all, n := near[p.name], p.name
		perHost, processes := "", ""
		if per := memory[n]; per != nil {
			perHost, processes = fmt.Sprintf("%.0f", median(per)/1000), fmt.Sprintf("%.1f", started[n])
		}
		fmt.Fprintf(w, "| %s | %.2f | %s | %.1f | %s | %.2f | %.1f | %.0f | %s | %s |\n", n,
			middle(all, cpu)*1000/float64(m.config.hosts), ratio(all, near[bare], cpu),
			middle(all, wall), ratio(all, near[bare], wall),
			middle(farOne[n], wall), middle(farMany[n], wall),
			middle(all, func(s sample) float64 { return float64(s.peak) / 1e6 }), perHost, processes)
	}
	fmt.Fprintln(w)
}

// printGoals writes Tripod's figures as ratios within a round.
func printGoals(w io.Writer, m measurement, near, farOne, farMany rounds, memory map[string][]float64, started map[string]float64, l largeFile) {
	fmt.Fprintln(w, "| figure | goal | measured |")
	fmt.Fprintln(w, "| --- | --- | --- |")
	row := func(figure, goal string, measured ...string) {
		fmt.Fprintf(w, "| %s | %s | %s |\n", figure, goal, strings.Join(measured, "; "))
	}
	to := func(r rounds, of func(sample) float64, others ...string) (all []string) {
		for _, other := range others {
			all = append(all, ratio(r[tripod], r[other], of))
		}
		return all
	}
	row("client CPU per host / bare loop's; / gossh's", "≤ 2.0; ≤ 1.1", to(near, cpu, bare, gossh)...)
	row(fmt.Sprintf("wall, %d hosts, %d at once / bare loop's; / asyncssh's; / gossh's", m.config.hosts, m.parallel),
		"≤ 1.3; < 0.8; < 1.0", to(near, wall, bare, asyncssh, gossh)...)
	row("one far host, wall / bare loop's; / asyncssh's", "≤ 1.5; ≤ 0.75", to(farOne, wall, bare, asyncssh)...)
	row("100 far hosts, wall / bare loop's; / asyncssh's", "", to(farMany, wall, bare, asyncssh)...)
	row("peak memory per concurrent host / bare loop's", "≤ 1.5", ratio(memory[tripod], memory[bare], itself))
	row("processes started on the host; without sshd's own (the bare loop's less its shell)", "≤ 16",
		fmt.Sprintf("%.1f; %.1f", started[tripod], started[tripod]-(started[bare]-1)))
	again := "–"
	if len(l.again) > 0 {
		again = fmt.Sprintf("%d bytes", median(l.again))
	}
	row("32 MiB at a far host / one SFTP upload alone; second time: bytes more than without the file", "≤ 1.1; 0 bytes", ratio(l.tripod, l.bare, wall), again)
}
