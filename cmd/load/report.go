package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

type pageRow struct {
	page
	waits []time.Duration
	count int64
	items int
}

// quantile is the smallest wait that so much of them do not exceed; q from 0 to 1.
func quantile(waits []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

func printSubmission(w io.Writer, c config, waits []time.Duration, took, drain time.Duration, used cost) {
	all := c.requests * c.hosts
	fmt.Fprintf(w, "%d requests of %d hosts, %d clients at once, --parallel %d\n\n", c.requests, c.hosts, c.clients, c.parallel)
	fmt.Fprintln(w, "| what | figure |")
	fmt.Fprintln(w, "| --- | ---: |")
	fmt.Fprintf(w, "| acknowledgement p50 / p99 / longest, ms | %.0f / %.0f / %.0f |\n",
		ms(quantile(waits, 0.50)), ms(quantile(waits, 0.99)), ms(quantile(waits, 1)))
	fmt.Fprintf(w, "| requests per second | %.0f |\n", float64(c.requests)/took.Seconds())
	fmt.Fprintf(w, "| invocations acknowledged per second | %.0f |\n", float64(all)/took.Seconds())
	fmt.Fprintf(w, "| acknowledged, each listed once with its end | %d of %d |\n", all, all)
	fmt.Fprintf(w, "| until all had ended after the last acknowledgement, s | %.0f |\n", drain.Seconds())
	fmt.Fprintf(w, "| CPU of the daemon per invocation, whole life, ms | %.2f |\n", ms(used.cpu)/float64(all))
	fmt.Fprintf(w, "| peak memory of the daemon, MB | %.0f |\n", mb(used.peak))
	fmt.Fprintf(w, "| of that its own at the end (the rest is the mapped database and the program), MB | %.0f |\n\n", mb(used.own))
}

func printPaging(w io.Writer, c config, rows []pageRow, used cost) {
	fmt.Fprintf(w, "Pages of 100 among %d invocations, one client, medians of %d\n\n", c.listed, c.samples)
	fmt.Fprintln(w, "| filter | matches | offset | on the page | median, ms | p99, ms |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s | %d | %d | %d | %.1f | %.1f |\n", r.what, r.count, r.filter.Offset, r.items,
			ms(quantile(r.waits, 0.50)), ms(quantile(r.waits, 0.99)))
	}
	fmt.Fprintf(w, "\nMemory of the daemon that listed: %.0f MB at its peak with the mapped database; its own at the end %.0f MB.\n",
		mb(used.peak), mb(used.own))
}
