package api_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// docRows are the tables of a document that begin with the title, under a
// heading: cells without their space.
func docRows(t *testing.T, file, heading, title string) [][]string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	_, section, ok := strings.Cut("\n"+string(raw), "\n"+heading+"\n")
	require.True(t, ok, "%s has no %q", file, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, ok := strings.Cut("\n"+section, strings.ReplaceAll("\n| "+title+" |", "  ", " "))
	require.True(t, ok, "%s has no table of %s under %q", file, title, heading)
	var rows [][]string
	for _, line := range strings.Split(table, "\n")[2:] { // behind the heading and the rule
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

var (
	ticked   = regexp.MustCompile("`([a-z_]+)`")
	ranged   = regexp.MustCompile(`(\d+)–(\d+)`)
	defaults = regexp.MustCompile(`default:? (\w+)`)
	listed   = regexp.MustCompile(`, (?:which .*)?| or `)
)

// holdFields holds a hand-written table of fields against what the OpenAPI file
// says of them, which other tests hold against the code: the same names, ranges,
// defaults and words.
func (s spec) holdFields(rows [][]string, fields map[string]schema) {
	s.t.Helper()
	var named []string
	for _, row := range rows {
		for _, match := range ticked.FindAllStringSubmatch(row[0], -1) {
			name := match[1]
			is, known := fields[name]
			require.True(s.t, known, "docs/api.md has a field %s that docs/openapi.yaml has not", name)
			named = append(named, name)
			if row[1] != "as above" && !strings.HasPrefix(row[1], "one host's") {
				s.holdField(name, row[1], s.resolve(is))
			}
		}
	}
	require.ElementsMatch(s.t, slices.Collect(maps.Keys(fields)), named)
}

func (s spec) holdField(name, said string, is schema) {
	s.t.Helper()
	want := map[string]bool{}
	for _, edges := range [][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minimum", "maximum"}} {
		if most, bounded := is[edges[1]]; bounded {
			least, given := is[edges[0]]
			if !given {
				least = 0
			}
			want[fmt.Sprintf("%v–%v", least, most)] = true
		}
	}
	if name == "port" {
		want["1–5"] = true // digits of the text
	}
	told := map[string]bool{}
	for _, r := range ranged.FindAllString(said, -1) {
		told[r] = true
	}
	require.Equal(s.t, want, told, "the ranges of %s in docs/api.md: %s", name, said)

	if value, given := is["default"]; given {
		require.Contains(s.t, defaults.FindStringSubmatch(said), fmt.Sprint(value), "the default of %s in docs/api.md: %s", name, said)
	}
	if enum, given := is["enum"]; given {
		words := strings.TrimPrefix(strings.TrimPrefix(said, "**(Tripod)** "), "required: ")
		words = strings.NewReplacer("`", "").Replace(regexp.MustCompile(`[:;]`).Split(words, 2)[0])
		told := slices.DeleteFunc(listed.Split(words, -1), func(w string) bool { return w == "" })
		if strings.Contains(said, "; also SET_REMOTE_INSTALL_HOST") {
			told = append(told, "SET_REMOTE_INSTALL_HOST")
		}
		require.Equal(s.t, texts(enum), told, "the words of %s in docs/api.md: %s", name, said)
	}
	for _, word := range regexp.MustCompile(`\b[A-Z]+_[A-Z_]+\b`).FindAllString(said, -1) {
		known := slices.Contains(texts(is["enum"]), word) || slices.Contains(api.Enums["Type"], word)
		require.True(s.t, known, "docs/api.md has a word %s in the row of %s that the API has not", word, name)
	}
}

func (s spec) properties(names ...string) map[string]schema {
	all := map[string]schema{}
	for _, name := range names {
		for field, is := range s.at(s.schema(name), "properties") {
			all[field] = is.(schema)
		}
	}
	return all
}

// TestDocWords: what docs/api.md says by hand of fields, parameters and states.
func TestDocWords(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	s.holdFields(docRows(t, apiDoc, "## Create tasks", "field"), s.properties("CreateRequest", "RemoteHost"))
	s.holdFields(docRows(t, apiDoc, "## Agent status", "field"), s.properties("StatusRequest"))
	query := map[string]schema{}
	for _, p := range s.at(s.root, "paths", "/v3/{project_id}/agent-invocations", "get")["parameters"].([]any) {
		if p := s.resolve(p.(schema)); p["in"] == "query" {
			query[p["name"].(string)] = s.at(p, "schema")
		}
	}
	s.holdFields(docRows(t, apiDoc, "## List tasks", "parameter"), query)

	var told []string
	for _, row := range docRows(t, apiDoc, "## List tasks", "status") {
		told = append(told, row[0])
	}
	require.ElementsMatch(t, api.Enums["Status"], told)
	var ways, known []string
	for _, row := range docRows(t, apiDoc, "## Agent status", "found on the host") {
		ways = append(ways, row[1]+" "+row[2])
	}
	for _, state := range api.Enums["ExtensionStatus"] {
		known = append(known, string(api.UniagentOf(installer.AgentState(state)))+" "+state)
	}
	require.ElementsMatch(t, known, ways)

	var operations, served []string
	for _, row := range docRows(t, apiDoc, "# The agent-task API", "") {
		operations = append(operations, strings.Trim(row[0], "`"))
	}
	for _, rt := range api.Routes(newRig(t).handler) {
		served = append(served, rt.Method+" "+rt.Pattern)
	}
	require.ElementsMatch(t, served, operations)
}

// TestDocFigures: figures that docs/api.md says in its sentences.
func TestDocFigures(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	raw, err := os.ReadFile(apiDoc)
	require.NoError(t, err)
	text := strings.Join(strings.Fields(string(raw)), " ")
	key := s.at(s.at(s.root, "paths", "/v3/{project_id}/agent-invocations/batch-create", "post")["parameters"].([]any)[1].(schema), "schema")
	for _, sentence := range []string{
		fmt.Sprintf("`Idempotency-Key` header (%d–%d printable ASCII characters", key["minLength"], key["maxLength"]),
		"remembered for 24 hours",
		fmt.Sprintf("JSON in UTF-8 of at most %d MiB", api.MaxBody>>20),
		fmt.Sprintf("the body is over %d MiB", api.MaxBody>>20),
		fmt.Sprintf("longer ago than `serve --status-max-age` (%d hours)", api.DefaultStatusMaxAge/time.Hour),
	} {
		require.Contains(t, text, sentence)
	}
	for _, row := range docRows(t, "../../docs/service.md", "## Flags of `tripod serve`", "flag") {
		switch row[0] {
		case "`--status-max-age`":
			age, err := time.ParseDuration(row[1])
			require.NoError(t, err)
			require.Equal(t, api.DefaultStatusMaxAge, age)
			served := regexp.MustCompile("StatusMaxAge +time.Duration +`default:\"" + row[1] + "\"")
			command, err := os.ReadFile("../../cmd/tripod/serve.go")
			require.NoError(t, err)
			require.Regexp(t, served, string(command))
		case "`--request-rate`":
			require.Equal(t, fmt.Sprint(api.DefaultRequestRate), row[1])
		}
	}
}
