package main

import (
	"fmt"
	"strconv"
)

// csvHeader is the first row of --output csv; new columns go to the end.
var csvHeader = []string{
	"batch_id", "invocation_id", "instance_id", "name", "address", "port", "user",
	"status", "kind", "version", "attempts", "seconds", "exit_code", "message", "hint",
}

func (r reportOf) csv() (string, error) {
	rows := make([][]string, len(r.invocations))
	for i := range r.invocations {
		inv := &r.invocations[i]
		exit := ""
		if inv.ExitCode != nil {
			exit = strconv.Itoa(*inv.ExitCode)
		}
		rows[i] = []string{
			inv.BatchID, inv.ID, inv.Host.ID, inv.Host.Name, inv.Host.Address,
			strconv.Itoa(int(inv.Host.Port)), inv.Host.User,
			word(inv), string(inv.Kind), agentVersion(inv), strconv.Itoa(len(inv.Attempts)),
			fmt.Sprintf("%.3f", worked(inv).Seconds()), exit, inv.Message, inv.Kind.Hint(),
		}
	}
	return csvText(csvHeader, rows)
}
