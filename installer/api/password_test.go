package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// TestBPasswordsReachTheHost byte for byte: from the body of a request to what the
// host is asked to let in, by either way of sending a password.
func TestBPasswordsReachTheHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, password := range []string{
		"x", strings.Repeat("p", 3000), strings.Repeat("é", 3000), "пароль 密码 🔑", `"quotes'\backslash`, "  ends  ", "\tends\n", "<&>\u2028", "$(id)`id`", "e\u0301 is not é",
	} {
		for _, interactive := range []bool{false, true} {
			user := sshtest.User{Name: "root", Password: password}
			if interactive {
				user = sshtest.User{Name: "root", KeyboardInteractive: password}
			}
			srv := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{user}})
			at := srv.Endpoint("root")
			res := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{
				"remote_ip": at.Address, "port": strconv.Itoa(int(at.Port)), "password": password,
			}))).created(t).Invocations[0]
			r.work()
			require.Equal(t, installer.Succeeded, r.list("?invocation_id=" + res.InvocationID).Invocations[0].InvocationStatus, "%.20q", password)
			require.Equal(t, []string{password}, srv.Counts().Passwords)
		}
	}
	require.Zero(t, r.list("?status=FAILED").Count)
}
