package recipe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/recipe/hostshell"
)

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	var found findings
	for i := range 10 * maxFindings {
		found.add(hostshell.ParseFinding(fmt.Sprintf("have sha=%d", i)))
		found.add(hostshell.ParseFinding("tried place=/x why=y"))
	}
	assert.Len(t, found.have, maxFindings)
	assert.Len(t, found.tried, maxFindings)
}

func TestHostilePathsAreNotUsed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/var/lib/tripod": true, "/root/.tripod": true, "/tmp/sshtest-1/root/tmp/tripod.0a": true,
		"": false, "var": false, "/": false, "/a/../etc": false, "/a/..": false, "/a b": false, "/a;rm": false, "/a\n": false,
		"/$(id)": false, "//a": false, "/" + strings.Repeat("a", 2000): false,
	} {
		assert.Equal(t, want, isSafePath(path), "%q", path)
	}
	var found findings
	found.add(hostshell.ParseFinding("place root=/tmp/$(reboot) free=99999999999999999999999"))
	assert.Empty(t, found.root)
	found.add(hostshell.ParseFinding("place root=/var/lib/tripod free=99999999999999999999999"))
	assert.Zero(t, found.freeKiB)
}

func FuzzFindings(f *testing.F) {
	f.Add("host uid=0 kernel=Linux arch=amd64\nend fits=yes")
	f.Add("begin\nend state=exited code=256 age=-1")
	f.Add("place root=/%2e%2e/x free=zz\nfailed")
	f.Fuzz(func(t *testing.T, lines string) {
		var found findings
		for line := range strings.Lines(lines) {
			found.add(hostshell.ParseFinding(line))
		}
		if found.root != "" {
			require.True(t, isSafePath(found.root))
		}
		require.LessOrEqual(t, found.run.code, 255)
		require.GreaterOrEqual(t, found.run.age, int64(0))
	})
}
