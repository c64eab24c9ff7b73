package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// metadataService is an address of the container's own loopback: nothing leaves it.
const metadataService = `use Socket;
use IO::Socket::INET;
socket(my $any, AF_INET, SOCK_DGRAM, 0) or die $!;
my $address = pack("a16 S n a4 x8", "lo:1", AF_INET, 0, inet_aton("169.254.169.254"));
ioctl($any, 0x8916, $address) or die $!; # SIOCSIFADDR
my $server = IO::Socket::INET->new(LocalAddr => "169.254.169.254", LocalPort => 80, Listen => 5) or die $!;
$| = 1;
print "ready\n";
while (my $client = $server->accept) {
	my $line = <$client>;
	while (<$client> !~ /^\r?\n$/) {}
	my $body = $line =~ m{^GET /openstack/latest/securitykey } ? '{"credential": {"access": "AK", "secret": "SK"}}'
		: '{"uuid": "i-9", "project_id": "p-9"}';
	print $client "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n$body";
	close $client;
}
`

// As real root in a real root folder: a bare Debian without init, ps or pgrep,
// with update-rc.d and service.
func TestContainer(t *testing.T) {
	t.Parallel()
	if err := exec.Command("docker", "image", "inspect", "debian:bookworm-slim").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a Docker engine with debian:bookworm-slim is needed in CI: %v", err)
		}
		t.Skip("SKIPPED: no Docker engine with the image debian:bookworm-slim")
	}
	docker := func(args ...string) (string, error) {
		text, err := exec.Command("docker", args...).CombinedOutput()
		return strings.TrimSpace(string(text)), err
	}
	id, err := docker("run", "-d", "--rm", "--network", "none", "--cap-add", "NET_ADMIN",
		"--label", "tripod-test=scripts", "debian:bookworm-slim", "sleep", "3600")
	require.NoError(t, err, id)
	t.Cleanup(func() { _, _ = docker("rm", "-f", id) })

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "run"), subFS(t, "telescope")))
	// docker cp keeps the modes, and root in there may be nobody here.
	openUp(t, dir)
	for name, o := range map[string]agent.Options{"old.tar.gz": {Version: "1.1.0"}, "bad.tar.gz": {Habit: "fails"}} {
		o.Name = name
		_, err := agent.BuildIn(filepath.Join(dir, "run"), o)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run/metadata.pl"), []byte(metadataService), 0o644))
	text, err := docker("cp", filepath.Join(dir, "run"), id+":/run/tripod")
	require.NoError(t, err, text)
	sh := func(want int, line string) string {
		t.Helper()
		cmd := exec.Command("docker", "exec", id, "env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", "cd /run/tripod; umask 077; "+line)
		text, err := cmd.CombinedOutput()
		require.Equal(t, want, cmd.ProcessState.ExitCode(), "%s\n%s\n%v", line, text, err)
		return string(text)
	}

	sh(0, `printf '%s\n' TRIPOD_WAIT=180 TRIPOD_STABLE=1 TRIPOD_PACKAGE=/run/tripod/old.tar.gz TRIPOD_KEEP=/root/kept >settings`)
	clean := sh(0, "find /etc /usr /root -type f -o -type l | sort")
	assert.Contains(t, sh(0, "sh probe.sh"), "init=sysv root=yes bash=yes")
	assert.Contains(t, sh(0, "sh install.sh"), "agent=healthy version=1.1.0 layout=old parents=1 children=1")
	assert.Contains(t, sh(0, "ls /etc/rc2.d"), "telescoped", "it is not started at boot")
	sh(0, "test -x /usr/local/telescope/bin/agent && test -r /usr/local")
	assert.Contains(t, sh(0, "sh verify.sh"), "agent=healthy")

	// Taken out of the boot by hand, it is put back out of it.
	sh(0, "/usr/sbin/update-rc.d telescoped disable && printf '%s\\n' TRIPOD_PACKAGE=/run/tripod/bad.tar.gz >>settings")
	assert.Contains(t, sh(exitInstaller, "sh install.sh"), "; version 1.1.0 was put back, healthy")
	sh(1, "ls /etc/rc[2-5].d | grep 'S..telescoped'")

	// With an agency, which the metadata service tells of, it can report; by itself it cannot.
	// (TRIPOD_METADATA is for tests: without TRIPOD_ROOT it does not count.)
	sh(0, "printf '%s\\n' TRIPOD_REQUIRE_REPORTING=yes TRIPOD_METADATA=127.0.0.1:1 >>settings")
	assert.Contains(t, sh(exitReporting, "sh verify.sh"), "and no metadata service answers")
	sh(0, "setsid perl metadata.pl >ready & until grep -q . ready 2>/dev/null; do sleep 0.1; done")
	assert.Contains(t, sh(0, "sh verify.sh"), "tripod: reporting=yes")
	sh(0, "printf '%s\\n' TRIPOD_PROJECT_ID=p-1 >>settings && sh configure.sh")
	assert.Contains(t, sh(0, "tail -n 1 /usr/local/telescope/log/ces.log"), "credentials from the agency, instance i-9")

	sh(0, "sh uninstall.sh && rm -rf /root/kept")
	assert.Equal(t, clean, sh(0, "find /etc /usr /root -type f -o -type l | sort"))
	// Nobody waits for the dead in there: zombies do not count.
	sh(1, `grep -Eh '\((telescope|uniagent)\) [^Z]' /proc/[0-9]*/stat`)

	sh(0, "mv /bin/bash /bin/away")
	assert.Contains(t, sh(exitHost, "sh install.sh"), "lacks bash")
	assert.Contains(t, sh(exitHost, "sh probe.sh"), "bash=no")
}
