package installer_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// arrows says which packages of Tripod each package may import, outside its
// tests. A package that is not listed may import none. This is the house of
// docs/architecture.md, held by a machine.
var arrows = map[string]string{
	"installer":                  "installer/lazyregexp",
	"installer/engine":           "installer",
	"installer/strictjson":       "installer",
	"installer/privkey":          "installer",
	"installer/policy":           "",
	"installer/plaintext":        "",
	"installer/signing":          "installer installer/lazyregexp",
	"installer/pkgfile":          "installer/lazyregexp",
	"installer/hostsfile":        "installer installer/lazyregexp installer/strictjson installer/privkey",
	"installer/sshconn":          "installer",
	"installer/sshdial":          "installer installer/privkey installer/sshconn",
	"installer/recipe":           "installer installer/lazyregexp installer/plaintext installer/recipe/hostshell",
	"installer/recipe/hostshell": "installer installer/lazyregexp scripts",
	"installer/api":              "installer installer/api/limits installer/hostsfile installer/lazyregexp installer/plan installer/signing installer/strictjson installer/plaintext",
	"installer/api/limits":       "installer",
	"installer/control":          "installer installer/api installer/engine installer/hostsfile installer/pkgfile installer/plan installer/privkey installer/strictjson",
	"installer/plan":             "installer",
	"installer/looks":            "installer installer/plan",
	"installer/local":            "",
	"installer/lazyregexp":       "",
	"store":                      "installer store/access store/audit store/disk store/files store/inventory store/kv store/tasks store/vault",
	"store/access":               "installer installer/lazyregexp store/disk store/kv store/vault",
	"store/audit":                "installer store/disk store/kv",
	"store/files":                "installer store/disk store/kv",
	"store/disk":                 "installer",
	"store/inventory":            "installer store/disk store/kv store/tasks store/vault",
	"store/tasks":                "installer store/disk store/kv",
	"store/kv":                   "installer installer/lazyregexp store/disk",
	"store/vault":                "store/disk",
	"scripts":                    "",
	"cmd/tripod": "installer installer/api installer/control installer/engine installer/hostsfile installer/lazyregexp installer/looks installer/plan installer/plaintext installer/policy store " +
		"cmd/tripod/internal/exit cmd/tripod/internal/flags cmd/tripod/internal/report cmd/tripod/internal/session cmd/tripod/internal/term",
	"cmd/tripod/internal/exit":     "installer installer/api installer/plaintext",
	"cmd/tripod/internal/term":     "installer",
	"cmd/tripod/internal/report":   "installer installer/api installer/plan installer/plaintext cmd/tripod/internal/exit",
	"cmd/tripod/internal/progress": "installer installer/plaintext cmd/tripod/internal/report cmd/tripod/internal/term",
	"cmd/tripod/internal/session": "installer installer/api installer/control installer/engine installer/local installer/plan installer/plaintext installer/recipe installer/sshdial store " +
		"cmd/tripod/internal/exit cmd/tripod/internal/progress cmd/tripod/internal/report cmd/tripod/internal/term",
	"cmd/tripod/internal/flags": "installer installer/control installer/hostsfile installer/lazyregexp installer/pkgfile installer/plan installer/privkey " +
		"cmd/tripod/internal/exit cmd/tripod/internal/session cmd/tripod/internal/term",
}

// testOnly are packages for tests, demonstrations and measurements: they may
// import anything, and nothing of the product may import them.
var testOnly = []string{
	"installer/sshtest", "installer/apitest", "store/storetest", "testdata/", "cmd/demo", "cmd/compare", "cmd/load", "docs",
}

func isTestOnly(pkg string) bool {
	for _, prefix := range testOnly {
		if strings.HasPrefix(pkg, prefix) {
			return true
		}
	}
	return false
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listedPackage
		require.NoError(t, dec.Decode(&p))
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

func TestArrows(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, "tripod/")
		if isTestOnly(pkg) {
			continue
		}
		allowed, listed := arrows[pkg]
		assert.True(t, listed, "package %s has no row in arrows: decide what it may import", pkg)
		for _, imported := range p.Imports {
			if own, ok := strings.CutPrefix(imported, "tripod/"); ok {
				assert.Contains(t, strings.Fields(allowed), own, "%s must not import %s", pkg, own)
				continue
			}
			assert.NotContains(t, imported, "testify", "%s: testify is for tests", pkg)
			if pkg == "installer" {
				assert.NotContains(t, imported, ".", "the domain imports the standard library only")
			}
			if strings.Contains(imported, "bbolt") {
				assert.Equal(t, "store/kv", pkg, "bbolt stays behind the key-value border")
			}
			if strings.HasPrefix(imported, "github.com/pkg/sftp") {
				assert.Equal(t, "installer/sshconn", pkg, "sftp stays in sshconn")
			}
		}
	}
}
