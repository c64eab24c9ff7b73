package recipe

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
)

// containerBed is a bed on a real sshd.
func containerBed(t *testing.T, kind container.Kind, opts ...container.Option) (*bed, *container.Host) {
	t.Helper()
	c := container.Start(t, kind, opts...)
	return &bed{
		t: t, blobs: &memBlobs{}, out: &syncBuffer{},
		inv: &installer.Invocation{
			ID: "inv-1", ProjectID: "p", Type: installer.Install, RunID: "inv-1",
			Host:     installer.Host{ID: "host-1", Endpoint: c.Endpoint()},
			Spec:     installer.Spec{Target: "telescope", HostKeys: installer.Insecure},
			Attempts: []installer.Attempt{{Number: 1, Started: time.Now()}},
		},
		creds: installer.Credentials{Login: c.Login()},
	}, c
}

const containerScript = "#!/bin/bash\nprintf x >>/ran\nid -u; pwd\n"

// Each kind of host is worked on in cmd/tripod's TestWaysIn; here is what needs more
// than one look.

func TestWrongSudoPasswordOnce(t *testing.T) {
	t.Parallel()
	says := map[container.Kind]string{
		container.SudoPasswordKind:   "1 incorrect password attempt",
		container.SudoRequireTTYKind: "Sorry, try again", // a terminal has no end of input: sudo is hung up
	}
	for _, kind := range atMost(1, container.SudoRequireTTYKind, container.SudoPasswordKind) {
		b, _ := containerBed(t, kind)
		b.creds.SudoPassword = installer.NewSecret("wrong-canary")
		_, err := b.script(containerScript).work(t.Context())
		f := requireKind(t, installer.KindSudoDenied, err)
		assert.Contains(t, f.Detail, "rejected the password")
		assert.Contains(t, f.Detail, says[kind])
	}
}

// TestNothingOfOursLiesWhereOthersWrite: while root's script runs for a login with sudo, neither a
// file of ours nor an argument of a process is anything that another user could change or use.
func TestNothingOfOursLiesWhereOthersWrite(t *testing.T) {
	t.Parallel()
	b, c := containerBed(t, container.SudoPasswordKind)
	asRoot := func(command string) string {
		out, err := c.Exec(t.Context(), "sh", "-c", command)
		require.NoError(t, err, out)
		return out
	}
	const hidden = "CANARY-9d1"
	b.creds.Vars = installer.Vars{"HIDDEN": installer.NewSecret(hidden)}
	asRoot("touch /stamp; sleep 0.05")
	done := b.script("#!/bin/sh\necho begun; while [ ! -e /go ]; do sleep 0.05; done; exit 7\n").start(t.Context())
	b.out.awaits(t, "begun\n")
	ours := asRoot("find / -xdev -newer /stamp -type f ! -path '/proc/*' ! -path '/sys/*' ! -path '/var/log/*' ! -path '/var/lib/sudo/*' ! -path '/run/*' ! -path /stamp")
	for _, path := range strings.Fields(ours) {
		assert.True(t, strings.HasPrefix(path, "/var/lib/tripod/"), "a new file outside of root's folder: %s", path)
	}
	assert.Contains(t, ours, "/var/lib/tripod/runs/inv-1/work/script")
	assert.Equal(t, "700 root", strings.TrimSpace(asRoot("stat -c '%a %U' /var/lib/tripod")))
	arguments := asRoot("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done")
	assert.NotContains(t, arguments, hidden)
	assert.NotContains(t, arguments, c.Login().Password.Reveal())
	// What a local user can see and write does not end the run, nor make it a success.
	forge := "for p in /proc/[0-9]*; do for fd in 0 1 2 3 9; do (echo '. 0' >$p/fd/$fd) 2>/dev/null; done; done; true"
	_, err := c.Exec(t.Context(), "su", "nobody", "-s", "/bin/sh", "-c", forge)
	require.NoError(t, err)
	asRoot("touch /go")
	f := requireKind(t, installer.KindScriptFailed, <-done)
	assert.Contains(t, f.Detail, "code 7")
}

// TestCallersPathIsNotFirst: no program that a user could put into his PATH is run by root's scripts.
func TestCallersPathIsNotFirst(t *testing.T) {
	t.Parallel()
	b, c := containerBed(t, container.PasswordKind)
	_, err := c.Exec(t.Context(), "sh", "-c", `mkdir /evil; for p in uname id ls df mkdir chmod rm ln cp mv od dd setsid flock sha256sum sleep find date; do
		printf '#!/bin/sh\necho %s >>/hits\nexec /usr/bin/%s "$@"\n' $p $p >/evil/$p; done; chmod -R 755 /evil; echo 'PATH=/evil:$PATH' >/root/.bashrc`)
	require.NoError(t, err)
	_, err = b.script("#!/bin/sh\necho \"$PATH\"\n").work(t.Context())
	require.NoError(t, err)
	assert.Contains(t, b.out.String(), ":/evil:", "the script gets what is behind")
	hits, err := c.Exec(t.Context(), "sh", "-c", "cat /hits 2>/dev/null; true")
	require.NoError(t, err)
	assert.Empty(t, hits)
}

// TestRealProgramsRefuse: what the real su and doas say.
func TestRealProgramsRefuse(t *testing.T) {
	t.Parallel()
	for kind, c := range map[container.Kind]struct {
		become installer.Become
		says   string
	}{
		container.DoasKind: {installer.BecomeAuto, "doas rejected the password (user op): doas: Authentication failed"},
		container.SuKind:   {installer.BecomeSu, "su rejected the password (user op): su: Authentication failure"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b, _ := containerBed(t, kind)
			b.inv.Host.Become = c.become
			b.creds.SudoPassword = installer.NewSecret("wrong-canary")
			_, err := b.script(containerScript).work(t.Context())
			assert.Equal(t, c.says, requireKind(t, installer.KindSudoDenied, err).Detail)
		})
	}
}

func TestNoexecPlaces(t *testing.T) {
	t.Parallel()
	b, c := containerBed(t, container.PasswordKind,
		container.WithRunArgs("--tmpfs", "/var/lib/tripod:rw,noexec,mode=700", "--tmpfs", "/opt/tripod:rw,exec,mode=700,size=64k"))
	_, err := b.script(containerScript).work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "0\n/usr/local/lib/tripod/runs/inv-1/work\n", b.out.String())

	// Nothing left that would do.
	b.again("inv-2")
	_, err = c.Exec(t.Context(), "sh", "-c", "rm -rf /usr/local/lib/tripod; for d in /usr/local/lib/tripod /root/.tripod /var/tmp/tripod /tmp/tripod; do ln -s / $d; done")
	require.NoError(t, err)
	_, err = b.work(t.Context())
	f := requireKind(t, installer.KindNoSpace, err)
	assert.Contains(t, f.Detail, "/var/lib/tripod: programs may not run from there (noexec)")
	assert.Contains(t, f.Detail, "/opt/tripod: ")
	assert.Contains(t, f.Detail, "KiB free, 1025 needed")
	assert.Contains(t, f.Detail, "/tmp/tripod: a symbolic link")
	assert.True(t, strings.Count(f.Detail, ";") >= 5)
}

// atMost are the first n of kinds, all of them in the long run.
func atMost(n int, kinds ...container.Kind) []container.Kind {
	if sshtest.Long() {
		return kinds
	}
	return kinds[:n]
}

// killSessions kills every server process whose parent is one too.
const killSessions = `
for p in /proc/[0-9]*; do
	read -r name <"$p/comm" || continue
	read -r line <"$p/stat" || continue
	set -- ${line##*) }
	read -r parent <"/proc/$2/comm" || continue
	case $name/$parent in
	sshd/sshd | dropbear/dropbear) kill -9 "${p#/proc/}" ;;
	esac
done 2>/dev/null
touch /go
`

func TestRealConnectionLost(t *testing.T) {
	t.Parallel()
	for _, kind := range atMost(2, container.SudoRequireTTYKind, container.DropbearKind, container.PasswordKind) {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b, c := containerBed(t, kind)
			b.script("#!/bin/sh\nprintf x >>/ran\necho begun\nwhile [ ! -e /go ]; do sleep 0.1; done\necho ended\n")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			done := b.start(ctx)
			b.out.awaits(t, "begun\n")
			if kind == container.SudoRequireTTYKind {
				modes, err := c.Exec(t.Context(), "sh", "-c", "stat -c %a /dev/pts/[0-9]* | sort -u")
				require.NoError(t, err)
				assert.Equal(t, "600", strings.TrimSpace(modes), "no other user can write there")
			}
			// The server's processes of this connection end, as after a broken path.
			_, err := c.ExecInput(t.Context(), killSessions, "sh", "-s")
			require.NoError(t, err)
			require.NoError(t, <-done)
			assert.Equal(t, "begun\nended\n", b.out.String())
			ran, err := c.Exec(t.Context(), "cat", "/ran")
			require.NoError(t, err)
			assert.Equal(t, "x", ran)
		})
	}
}

func TestA09Reboot(t *testing.T) {
	t.Parallel()
	b, c := containerBed(t, container.PasswordKind)
	b.script("#!/bin/sh\nprintf x >>/ran\necho begun\nsleep 300\n")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := b.start(ctx)
	b.out.awaits(t, "begun\n")
	require.NoError(t, c.Restart(t.Context()))
	f := requireKind(t, installer.KindScriptFailed, <-done)
	t.Log(f)
	ran, err := c.Exec(t.Context(), "cat", "/ran")
	require.NoError(t, err)
	assert.Equal(t, "x", ran)
}
