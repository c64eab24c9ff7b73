package main

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"tripod/installer/plaintext"
)

// csvHeader is the first row of --output csv; new columns go to the end.
var csvHeader = []string{
	"batch_id", "invocation_id", "instance_id", "name", "address", "port", "user",
	"status", "kind", "version", "attempts", "seconds", "exit_code", "message", "hint",
}

func (r reportOf) csv() (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(csvHeader)
	for i := range r.invocations {
		inv := &r.invocations[i]
		exit := ""
		if inv.ExitCode != nil {
			exit = strconv.Itoa(*inv.ExitCode)
		}
		_ = w.Write([]string{
			inv.BatchID, inv.ID, inv.Host.ID, plaintext.Line(inv.Host.Name), inv.Host.Address,
			strconv.Itoa(int(inv.Host.Port)), inv.Host.User,
			word(inv), string(inv.Kind), plaintext.Line(agentVersion(inv)), strconv.Itoa(len(inv.Attempts)),
			fmt.Sprintf("%.3f", worked(inv).Seconds()), exit, plaintext.Line(inv.Message), inv.Kind.Hint(),
		})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return "", fmt.Errorf("make the CSV: %w", err)
	}
	return b.String(), nil
}
