package recipe

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func TestScriptThatKeepsStdoutOpen(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + "(while :; do echo daemon; sleep 0.01; done) & echo done\n")
	began := time.Now()
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Contains(t, b.out.String(), "done\n")
	assert.NotEmpty(t, b.srv.Processes(), "what the script started goes on")
	assert.Less(t, time.Since(began), time.Minute)
}

func TestBinaryOutputAndForgery(t *testing.T) {
	t.Parallel()
	text := "printf '\\000\\377\\r\\n\\033]0;x\\007: end state=exited code=0 by=inv-1.1\\n. 0\\no 9\\n'; " +
		"for fd in 3 4 5 6 7 8 9; do (echo '. 0' >&$fd; echo ': end state=exited code=0' >&$fd) 2>/dev/null; done; exit 9\n"
	b := newBed(t, sshtest.Config{}, "root").script("#!/bin/sh\n" + text)
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindScriptFailed, err)
	assert.Contains(t, f.Detail, "code 9")
	assert.Equal(t, "\x00\xff\r\n\x1b]0;x\a: end state=exited code=0 by=inv-1.1\n. 0\no 9\n", b.out.String())
}

func TestScriptKindsOfFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, out string }{
		"no shebang":         {"echo plain", "plain\n"},
		"other interpreter":  {"#!/usr/bin/awk -f\nBEGIN { print \"awk\" }\n", "awk\n"},
		"kills its group":    {"#!/bin/sh\ntrap 'exit 0' TERM\necho group; kill -TERM 0\nexit 0\n", "group\n"},
		"usual rights":       {"umask", "0022\n"},
		"nothing to be read": {"cat; echo end", "end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sshtest.Config{}, "root").script(c.text)
			_, err := b.work(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.out, b.out.String())
		})
	}
}

func TestSecretsAreNotInMessages(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script("#!/bin/sh\necho the password is '" + sshtest.DefaultPassword + "'; exit 1\n")
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindScriptFailed, err)
	assert.NotContains(t, f.Detail, sshtest.DefaultPassword)
	rec, _ := b.attempt().Step(installer.StepRun)
	assert.NotContains(t, rec.Note, sshtest.DefaultPassword)
	for _, line := range b.srv.Counts().Execs {
		assert.NotContains(t, line, sshtest.DefaultPassword)
	}
}

// TestA13HugeOutput: 512 MB without a line break, in bounded memory. In the short run
// it is less, in less.
func TestA13HugeOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 64 MiB of output")
	}
	total, bound := int64(64<<20), uint64(16<<20)
	if sshtest.Long() {
		total, bound = 512<<20, 64<<20
	}
	b := newBed(t, sshtest.Config{}, "root").script(fmt.Sprintf("head -c %d /dev/zero; exit 4\n", total))
	var got atomic.Int64
	var most atomic.Uint64
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sink := writerFunc(func(p []byte) (int, error) {
		if n := got.Add(int64(len(p))); n%(total/16) < int64(len(p)) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
		}
		return len(p), nil
	})
	b.sink = sink
	_, err := b.work(t.Context())
	requireKind(t, installer.KindScriptFailed, err)
	assert.Equal(t, total, got.Load())
	assert.Less(t, most.Load(), before.HeapInuse+bound)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

var _ io.Writer = writerFunc(nil)

func TestPlacesThatWillNotDo(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script("pwd\n")
	require.NoError(t, os.Mkdir(b.srv.Path("elsewhere"), 0o700))
	require.NoError(t, os.Symlink(b.srv.Path("elsewhere"), b.srv.Path("var/lib/tripod")))
	require.NoError(t, os.Mkdir(b.srv.Path("opt/tripod"), 0o755)) // others may enter it
	require.NoError(t, os.MkdirAll(b.srv.Path("usr/local"), 0o755))
	require.NoError(t, os.WriteFile(b.srv.Path("usr/local/lib"), nil, 0o600)) // no folder
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, b.srv.Path("root/.tripod/runs/inv-1/work")+"\n", b.out.String())
	left, err := filepath.Glob(b.srv.Path("elsewhere/*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestNoRoom(t *testing.T) {
	t.Parallel()
	full := "#!/bin/sh\necho 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '/dev/x 100 90 10 90% /'\n"
	b := newBed(t, sshtest.Config{Shims: map[string]string{"df": full}}, "root").script(counted)
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindNoSpace, err)
	assert.Equal(t, installer.StepProbe, f.Step)
	assert.Contains(t, f.Detail, "var/lib/tripod: 10 KiB free, 1025 needed; ")
	assert.Zero(t, b.srv.Counts().SFTPs)
	assert.NoDirExists(t, b.srv.Path("var/lib/tripod"))
}

func TestUploadIsCheckedOnTheHost(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + strings.Repeat("# padding\n", 30000))
	for sha, content := range b.blobs.all { // damaged on its way, the size as it was
		b.blobs.all[sha] = append([]byte(strings.Repeat("#", 100)), content[100:]...)
	}
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindUploadFailed, err)
	assert.Equal(t, installer.StepStage, f.Step)
	assert.Zero(t, b.runs())
	left, err := filepath.Glob(b.srv.Path("var/lib/tripod/files/*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").script(counted + strings.Repeat("# padding\n", 30000))
	_, err := b.work(t.Context())
	require.NoError(t, err)
	b.again("inv-2")
	_, err = b.work(t.Context())
	require.NoError(t, err)
	rec, _ := b.attempt().Step(installer.StepStage)
	assert.Equal(t, "1 file already there, nothing sent", rec.Note)
	assert.Equal(t, 1, b.srv.Counts().SFTPs)
	assert.Equal(t, 2, b.runs())
}

// TestSFTPWithAnotherRoot: the file arrives, and is not where commands look.
func TestSFTPWithAnotherRoot(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"root", "ops"} {
		cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword})
		cfg.SFTP = sshtest.SFTPElsewhere
		cfg.Users = append(cfg.Users, sshtest.User{Name: "root", Password: "r"})
		b := newBed(t, cfg, user).script(counted + strings.Repeat("# padding\n", 30000))
		_, err := b.work(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, b.runs())
		left, err := filepath.Glob(b.srv.Path("*", "tmp", "tripod-in.*"))
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func TestNoSFTP(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{SFTP: sshtest.SFTPOff}, "root").script(counted + strings.Repeat("# padding\n", 30000))
	_, err := b.work(t.Context())
	require.NoError(t, err)
	rec, _ := b.attempt().Step(installer.StepStage)
	assert.Equal(t, "1 file sent, 293 KB by exec", rec.Note)
}
