package docs

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
)

var update = flag.Bool("update", false, "write the generated parts of the pages anew")

// holdPart compares the part of a page between the two marks of its name with what
// the code says, or writes it.
func holdPart(t *testing.T, page, name, want string) {
	t.Helper()
	begin, end := "<!-- "+name+": generated, see CONTRIBUTING.md -->\n", "<!-- end of "+name+" -->\n"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "%s: the mark %q is missing", page, begin)
	part, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s: the mark %q is missing", page, end)
	if *update {
		text := before + begin + want + end + after
		require.NoError(t, os.WriteFile(page, []byte(text), 0o644))
		return
	}
	require.Equal(t, want, part, "%s: run `go test ./docs -update`", page)
}

// item is one item of a list, wrapped.
func item(indent, text string) string {
	const columns = 120
	line, all := indent+"-", ""
	for _, word := range strings.Fields(text) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			all, line = all+line+"\n", indent+" "
		}
		line += " " + word
	}
	return all + line + "\n"
}

func joined[T ~string](words []T) string {
	var all []string
	for _, word := range words {
		all = append(all, string(word))
	}
	return strings.Join(all, ", ")
}

func TestFailureKinds(t *testing.T) {
	table := "| kind | usual step | attempts | ends as |\n|---|---|---:|---|\n"
	hints := "\n"
	for _, k := range installer.Kinds() {
		table += fmt.Sprintf("| `%s` | %s | %d | %s |\n", k.Kind, k.Step, k.Tries, k.End())
		hints += item("", fmt.Sprintf("`%s`: %s", k.Kind, k.Hint))
	}
	holdPart(t, "failures.md", "kinds", table)
	holdPart(t, "failures.md", "hints", hints[1:])
}

func TestTimeLimits(t *testing.T) {
	table := "| name | what | default | ends as |\n|---|---|---|---|\n"
	for _, l := range installer.LimitTable() {
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", l.Name, l.What, installer.ShortDuration(l.Default()), l.Ends)
	}
	holdPart(t, "failures.md", "limits", table)
}

func TestRetryAndRollbackRules(t *testing.T) {
	var text string
	for _, r := range installer.Rules() {
		text += fmt.Sprintf("\n**%s**\n\n", r.Task) + item("", "of: "+joined(r.Of)) + item("", "in state: "+joined(r.States)) + "- refused if:\n"
		for _, e := range r.Except {
			text += item("  ", e.What)
		}
	}
	holdPart(t, "tasks.md", "rules", text[1:])
}

func TestErrorCodes(t *testing.T) {
	var items string
	errors := "| HTTP | `error_code` | when |\n|---|---|---|\n"
	for _, row := range api.Codes {
		if row.Status == 0 {
			items += item("", fmt.Sprintf("`%s`: %s → %s", row.Code, row.Meaning, row.Hint))
		} else {
			errors += fmt.Sprintf("| %d | `%s` | %s |\n", row.Status, row.Code, row.Meaning)
		}
	}
	holdPart(t, "api.md", "item codes", items)
	holdPart(t, "api.md", "errors", errors)
}

func TestControlOperations(t *testing.T) {
	var items string
	for _, o := range control.Operations(control.Config{}) {
		if fields := fieldsOf(reflect.TypeOf(o.In)); len(fields) > 0 {
			o.Right += "; `" + strings.Join(fields, "`, `") + "`"
		}
		items += item("", fmt.Sprintf("`%s` (%s): %s", o.Name, o.Right, o.About))
	}
	holdPart(t, "control-api.md", "operations", items)
}

// fieldsOf are the fields of a JSON object.
func fieldsOf(object reflect.Type) (fields []string) {
	for f := range object.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			fields = append(fields, fieldsOf(f.Type)...)
		case name != "-" && !slices.Contains(fields, name):
			fields = append(fields, name)
		}
	}
	return fields
}
