package main

import (
	"encoding/xml"
	"fmt"

	"tripod/installer"
	"tripod/installer/plaintext"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Seconds  string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Seconds string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure,omitempty"`
	Error   *junitProblem `xml:"error,omitempty"`
	Skipped *junitProblem `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// junit renders a test case per host. A failure is what is known to have
// failed, an error what is not known or was stopped, skipped what was not
// done. Text from hosts is escaped first, so that the XML is valid whatever it
// holds and nothing is lost.
func (r reportOf) junit() (string, error) {
	s := junitSuite{Name: "tripod " + r.batchID, Tests: len(r.invocations)}
	var total float64
	for i := range r.invocations {
		inv := &r.invocations[i]
		seconds := worked(inv).Seconds()
		total += seconds
		c := junitCase{
			Class:   "tripod." + plaintext.Line(inv.Spec.Target),
			Name:    plaintext.Line(inv.Host.Label()),
			Seconds: fmt.Sprintf("%.3f", seconds),
		}
		problem := &junitProblem{Type: string(inv.Kind), Message: plaintext.Line(inv.Message), Text: inv.Kind.Hint()}
		switch inv.State {
		case installer.Succeeded, installer.Rollbacked: // skipped hosts are as wanted: passed
		case installer.Failed:
			c.Failure = problem
			s.Failures++
		case installer.Timeout, installer.Canceled:
			c.Error = problem
			s.Errors++
		default:
			c.Skipped = &junitProblem{Message: "unfinished"}
			s.Skipped++
		}
		if bad(inv) && r.logTail != nil {
			tail, err := r.logTail(inv.ID)
			if err != nil {
				return "", err
			}
			c.Output = plaintext.Text(tail)
		}
		s.Cases = append(s.Cases, c)
	}
	s.Seconds = fmt.Sprintf("%.3f", total)
	out, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("make the JUnit document: %w", err)
	}
	return xml.Header + string(out) + "\n", nil
}
