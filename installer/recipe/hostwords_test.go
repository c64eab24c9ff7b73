package recipe

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// TestWhatCleanSaysIsQuoted: what programs of the host say is heard after a script was followed too.
func TestWhatCleanSaysIsQuoted(t *testing.T) {
	t.Parallel()
	rm := "#!/bin/sh\ncase $* in */runs/inv-1) echo 'rm: the folder is held' >&2; exit 1 ;; esac\nexec /bin/rm \"$@\"\n"
	b := newBed(t, sshtest.Config{Shims: map[string]string{"rm": rm}}, "root").script("exit 0\n")
	_, err := b.work(t.Context())
	require.NoError(t, err)
	rec, _ := b.attempt().Step(installer.StepClean)
	assert.Equal(t, "run folder not removed: rm: the folder is held", rec.Note)
}

// TestLockThatCannotBeWritten is told at once, with what the host says.
func TestLockThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted)
	require.NoError(t, os.MkdirAll(b.srv.Path("var/lib/tripod/locks/telescope"), 0o700))
	require.NoError(t, os.Chmod(b.srv.Path("var/lib/tripod"), 0o700))
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindNoSpace, err)
	assert.Contains(t, f.Detail, "cannot be written to (lock)")
	assert.Contains(t, strings.ToLower(f.Detail), "directory")
	assert.Zero(t, b.runs())
}

// TestEnvironmentOfTheLogin: what the login has set for its shell and programs changes nothing.
func TestEnvironmentOfTheLogin(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{
		Env: []string{
			"BLOCK_SIZE=1M", "LS_BLOCK_SIZE=1K", "POSIXLY_CORRECT=1", "TIME_STYLE=full-iso", "QUOTING_STYLE=c",
			"CDPATH=/:/tmp", "ENV=/nowhere", "BASH_ENV=/nowhere", "IFS=/", "PS4=$(id)",
			"SHELLOPTS=braceexpand:errexit:nounset:noclobber:allexport:noglob:hashall", "BASHOPTS=nullglob:failglob",
		},
		Shims: map[string]string{"sh": "#!/bin/bash\nexec -a sh /bin/bash \"$@\"\n"},
	}, "root").script("#!/bin/dash\nprintf '%01000d' 7; env | grep -c -e ^settings= -e ^file_ -e ^TRIPOD_SCRIPT=; exit 3\n")
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindScriptFailed, err)
	assert.Contains(t, f.Detail, "code 3")
	assert.Equal(t, strings.Repeat("0", 999)+"70\n", b.out.String())
	assert.Empty(t, b.runFolders())
}
