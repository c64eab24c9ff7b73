package report

import (
	"encoding/xml"
	"fmt"
	"time"

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
func (r Report) junit() (string, error) {
	sum := r.Summary()
	s := junitSuite{Name: "tripod " + r.BatchID, Tests: sum.Total, Failures: sum.Failed, Errors: sum.Timeout + sum.Canceled, Skipped: sum.Unfinished}
	var total time.Duration
	for i := range r.Invocations {
		inv := &r.Invocations[i]
		took := worked(inv)
		total += took
		c := junitCase{
			Class:   "tripod." + plaintext.Line(inv.Spec.Target),
			Name:    plaintext.Line(inv.Host.Label()),
			Seconds: seconds(took),
		}
		problem := &junitProblem{Type: string(inv.Kind), Message: plaintext.Line(inv.Message), Text: inv.Kind.Hint()}
		switch inv.State {
		case installer.Succeeded, installer.Rollbacked: // skipped hosts are as wanted: passed
		case installer.Failed:
			c.Failure = problem
		case installer.Timeout, installer.Canceled:
			c.Error = problem
		default:
			c.Skipped = &junitProblem{Message: "unfinished"}
		}
		if inv.State.Bad() && r.LogTail != nil {
			tail, err := r.LogTail(inv.ID)
			if err != nil {
				return "", err
			}
			c.Output = plaintext.Text(tail)
		}
		s.Cases = append(s.Cases, c)
	}
	s.Seconds = seconds(total)
	out, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("make the JUnit document: %w", err)
	}
	return xml.Header + string(out) + "\n", nil
}
