package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestNoFaultShowsAValue: a slip anywhere in a body is refused, or does no harm,
// and the answer shows no part of a value: the value may be a password.
func TestNoFaultShowsAValue(t *testing.T) {
	t.Parallel()
	const canary = "Zk7QwX"
	body := []byte(`{"invocation_type":"Zk7QwX","instance_ids":["Zk7QwX!"],"version":"Zk7QwX!","x":[true,-1.5e3,{}],
 "remote_install_meta":[{"instance_name":"Zk7QwX\u0001","remote_ip":"Zk7QwX","user_name":"-Zk7QwX","port":"Zk7QwX","password":"Zk7QwX","remote_use_pem":"Zk7QwX"},
 {"remote_ip":"10.0.0.1","user_name":"root","password":"Zk7QwX","remote_use_pem":true},"Zk7QwX"]}`)
	var slips [][]byte
	for i := range body {
		slips = append(slips, body[:i], slices.Delete(slices.Clone(body), i, i+1))
		for _, with := range []string{`"`, `\`, `{`, `[`, `]`, `}`, `,`, `:`, "\n", "\x00", "\xff", `\u0000`, `\ud800`, `null`, `1e400`, `"":`} {
			slips = append(slips, slices.Insert(slices.Clone(body), i, []byte(with)...))
		}
	}
	for _, decode := range []func([]byte) error{api.DecodeCreate, api.DecodeStatus} {
		for _, slip := range slips {
			err := decode(slip)
			if err == nil || strings.Contains(string(slip), canary+`":`) {
				continue // made a key of it: keys are names
			}
			require.NotContains(t, err.Error(), canary, "%s", slip)
		}
	}
}
