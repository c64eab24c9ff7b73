package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/plan"
)

const hostile = "\x1b[2J\x00\xff<&]]>\u202e\u0085\U000e0041\"\n"

func testInvocation(n int) *installer.Invocation {
	return &installer.Invocation{
		ID:   fmt.Sprintf("inv-%d", n),
		Host: installer.Host{Endpoint: installer.Endpoint{Address: fmt.Sprintf("10.0.0.%d", n), Port: 22}},
	}
}

func testReport() Report {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	make := func(n int, state installer.State, kind installer.Kind, message string) installer.Invocation {
		inv := *testInvocation(n)
		inv.BatchID, inv.State, inv.Kind, inv.Message = "B", state, kind, message
		inv.Type, inv.Spec.Target, inv.Created, inv.Updated = installer.Install, "telescope", at, at
		if state != installer.Pending {
			inv.Attempts = []installer.Attempt{{Number: 1, Started: at, Ended: at.Add(1500 * time.Millisecond), Kind: kind, Message: message,
				Steps: []installer.StepRecord{{Step: installer.StepConnect, Started: at, Duration: time.Second, Kind: kind, Note: message}}}}
		}
		return inv
	}
	r := Report{BatchID: "B", LogTail: func(string) (string, error) { return "log " + hostile, nil }, Invocations: []installer.Invocation{
		make(1, installer.Succeeded, "", "installed"),
		make(2, installer.Succeeded, "", "healthy already"),
		make(3, installer.Failed, installer.KindAuthRejected, "rejected"),
		make(4, installer.Failed, installer.KindAuthRejected, "rejected"),
		make(5, installer.Failed, installer.KindScriptFailed, hostile),
		make(6, installer.Timeout, installer.KindLostContact, "gone"),
		make(7, installer.Canceled, installer.KindCanceled, "canceled"),
		make(8, installer.Pending, "", ""),
	}}
	r.Invocations[0].TargetVersion = "1.2.3"
	r.Invocations[1].CurrentVersion, r.Invocations[1].Skipped = "1.2.3", true
	return r
}

func TestTable(t *testing.T) {
	t.Parallel()
	table, err := testReport().Render("table")
	require.NoError(t, err)
	assert.Equal(t, `HOST      STATUS     KIND           VERSION  TIME  MESSAGE
10.0.0.1  succeeded  -              1.2.3    1.5s  installed
10.0.0.2  skipped    -              1.2.3    1.5s  healthy already
10.0.0.3  failed     auth-rejected  -        1.5s  -
10.0.0.4  failed     auth-rejected  -        1.5s  -
10.0.0.5  failed     script-failed  -        1.5s  -
10.0.0.6  timeout    lost-contact   -        1.5s  -
10.0.0.7  canceled   canceled       -        1.5s  -
10.0.0.8  pending    -              -        -     -

auth-rejected
  10.0.0.3, 10.0.0.4: rejected
  hint: `+installer.KindAuthRejected.Hint()+`

script-failed
  10.0.0.5: \x1b[2J\x00\xff<&]]>\u202e\x85\U000e0041"\n
  hint: `+installer.KindScriptFailed.Hint()+`

lost-contact
  10.0.0.6: gone
  hint: `+installer.KindLostContact.Hint()+`

canceled
  10.0.0.7: canceled
  hint: `+installer.KindCanceled.Hint()+`

batch B: 2 of 8 succeeded, 1 of them skipped, 3 failed, 1 timed out, 1 canceled, 1 unfinished
`, table)
}

// TestReportingIsShown: whether agents can report is in every format, where anybody has looked.
func TestReportingIsShown(t *testing.T) {
	t.Parallel()
	r := testReport()
	r.Invocations = r.Invocations[:4]
	for i, able := range []installer.ReportingAble{installer.ReportingYes, installer.ReportingNo, installer.ReportingUnknown} {
		r.Invocations[i].Reporting = installer.Reporting{Able: able, Why: "why " + string(able)}
	}
	table, err := r.Render("table")
	require.NoError(t, err)
	lines := strings.Split(table, "\n")
	assert.Equal(t, "HOST      STATUS     KIND           VERSION  REPORTING  TIME  MESSAGE", lines[0])
	assert.Contains(t, lines[1], "  yes  ")
	assert.Contains(t, lines[2], "  no  ")
	assert.Contains(t, lines[3], "  unknown  ")
	assert.Contains(t, lines[4], "  -  ")
	csv, err := r.Render("csv")
	require.NoError(t, err)
	lines = strings.Split(csv, "\n")
	assert.True(t, strings.HasSuffix(lines[0], ",hint,reporting,reporting_why"), lines[0])
	assert.True(t, strings.HasSuffix(lines[2], ",no,why no"), lines[2])
	assert.True(t, strings.HasSuffix(lines[3], ",unknown,why unknown"), lines[3])
	assert.True(t, strings.HasSuffix(lines[4], ",,"), lines[4])
	text, err := r.Render("json")
	require.NoError(t, err)
	assert.Contains(t, text, `"able": "unknown",`)
	details := InvocationDetails(&r.Invocations[2])
	assert.Regexp(t, `(?m)^reporting +unknown$`, details)
	assert.Regexp(t, `(?m)^reporting_why +why unknown$`, details)
}

func TestTableNamesFewOfMany(t *testing.T) {
	t.Parallel()
	r := Report{BatchID: "B"}
	for i := range 9 {
		inv := *testInvocation(i)
		inv.State, inv.Kind, inv.Message = installer.Failed, installer.KindRefused, "no"
		r.Invocations = append(r.Invocations, inv)
	}
	table, err := r.Render("table")
	require.NoError(t, err)
	assert.Contains(t, table, "  10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 4 more: no\n")
}

func TestJSONIsHarmlessAndComplete(t *testing.T) {
	t.Parallel()
	text, err := testReport().json()
	require.NoError(t, err)
	for _, r := range text {
		assert.True(t, r == '\n' || unicode.IsPrint(r), "%q", r)
	}
	var doc struct {
		BatchID     string         `json:"batch_id"`
		Summary     map[string]int `json:"summary"`
		Invocations []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	assert.Equal(t, "B", doc.BatchID)
	assert.Equal(t, map[string]int{"total": 8, "succeeded": 2, "skipped": 1, "failed": 3, "timeout": 1, "canceled": 1, "unfinished": 1, "rolled_back": 0}, doc.Summary)
	require.Len(t, doc.Invocations, 8)
	bad := doc.Invocations[4]
	assert.Equal(t, strings.ToValidUTF8(hostile, "\ufffd"), bad["message"], "only what is no UTF-8 is lost")
	assert.Equal(t, "script-failed", bad["kind"])
	assert.Equal(t, installer.KindScriptFailed.Hint(), bad["hint"])
	steps := bad["attempts"].([]any)[0].(map[string]any)["steps"].([]any)
	assert.InDelta(t, 1000, steps[0].(map[string]any)["duration_ms"], 0)
	for _, field := range []string{"invocation_id", "instance_name", "instance_type", "invocation_status", "create_time", "update_time", "target_version", "result_msg"} {
		assert.NotEmpty(t, doc.Invocations[7][field], field)
	}
}

func TestJUnitIsValidWhateverHostsPrint(t *testing.T) {
	t.Parallel()
	text, err := testReport().junit()
	require.NoError(t, err)
	var doc junitSuites
	require.NoError(t, xml.Unmarshal([]byte(text), &doc))
	s := doc.Suites[0]
	assert.Equal(t, []int{8, 3, 2, 1}, []int{s.Tests, s.Failures, s.Errors, s.Skipped})
	assert.Equal(t, "script-failed", s.Cases[4].Failure.Type)
	assert.Equal(t, `log \x1b[2J\x00\xff<&]]>\u202e\x85\U000e0041"`+"\n", s.Cases[4].Output)
	assert.Nil(t, s.Cases[1].Skipped, "a host that is as wanted has passed")
	assert.NotNil(t, s.Cases[7].Skipped)
}

func TestCSVHasOneRowPerHost(t *testing.T) {
	t.Parallel()
	text, err := testReport().csv()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Len(t, lines, 9, "no line end of a host's text breaks a row")
	assert.Equal(t, strings.Join(invocationList.names(CSV), ","), lines[0])
	assert.Contains(t, lines[5], `\x1b[2J`)
}

// TestRolledBackIsNoSuccess: what was undone is counted apart, and is no failure.
func TestRolledBackIsNoSuccess(t *testing.T) {
	t.Parallel()
	r := testReport()
	r.Invocations = r.Invocations[:2]
	r.Invocations[0].State = installer.Rollbacked
	table, err := r.Render("table")
	require.NoError(t, err)
	assert.Contains(t, table, "batch B: 1 of 2 succeeded, 1 of them skipped, 1 rolled back\n")
	s := r.Summary()
	assert.Equal(t, Summary{Total: 2, Succeeded: 1, Skipped: 1, RolledBack: 1}, s)
	assert.Equal(t, s.Total, s.Good())
}

// TestCSVCells: a spreadsheet computes nothing of what hosts and files say.
func TestCSVCells(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	rows := List[[2]string]{Columns: []Column[[2]string]{
		{Name: "a", Of: func(row [2]string) any { return row[0] }}, {Name: "b", Of: func(row [2]string) any { return row[1] }},
	}}
	require.NoError(t, rows.Write(&b, "csv", Pages([][2]string{{"=1+1", "+1"}, {"-1", "@x"}, {"1-1", "a,\"b\"\n\x1b"}})))
	assert.Equal(t, "a,b\n'=1+1,'+1\n'-1,'@x\n1-1,\"a,\"\"b\"\"\\n\\x1b\"\n", b.String())

	r := testReport()
	r.Invocations[0].Host.Name = "=cmd|' /C calc'!A0"
	text, err := r.csv()
	require.NoError(t, err)
	assert.Contains(t, text, ",'=cmd|' /C calc'!A0,")
}

// TestJSONListIsPlain: names in lists come from users and files too.
func TestJSONListIsPlain(t *testing.T) {
	t.Parallel()
	list := List[installer.AuditEntry]{Name: "entries"}
	for _, items := range [][]installer.AuditEntry{nil, {{Number: 1, Subject: hostile}}, {{Number: 1}, {Number: 2}}} {
		var out strings.Builder
		require.NoError(t, list.Write(&out, "json", Pages(items)))
		for _, r := range out.String() {
			require.True(t, unicode.IsPrint(r) || r == '\n', "%U", r)
		}
		var doc struct {
			Entries []installer.AuditEntry
			Count   int
		}
		require.NoError(t, json.Unmarshal([]byte(out.String()), &doc), out.String())
		require.Len(t, doc.Entries, len(items))
		require.Equal(t, len(items), doc.Count)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 0: "0.0s", 1234 * time.Millisecond: "1.2s", 59 * time.Second: "59.0s",
		90 * time.Second: "1m30s", 3*time.Hour + 400*time.Millisecond: "3h0m0s",
	} {
		assert.Equal(t, want, Duration(d))
	}
}

// TestUnknownFormat: no format is taken for another one.
func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, report := testReport().Render("yaml")
	_, plan := Plan("csv", installer.Install, make([]plan.Item, 1))
	list := invocationList.Write(io.Discard, "junit", Pages([]installer.Invocation{}))
	for _, err := range []error{report, plan, list} {
		var e *exit.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, exit.Usage, e.Code)
	}
}
