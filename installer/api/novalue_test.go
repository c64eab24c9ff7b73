package api_test

import (
	"strings"
	"testing"

	"tripod/installer/api"
)

// TestNoFaultShowsAValue: a slip anywhere in a body is refused, or does no harm,
// and the answer shows no part of a value: the value may be a password.
func TestNoFaultShowsAValue(t *testing.T) {
	t.Parallel()
	const canary = "Zk7QwX"
	hold := func(body string, decode func([]byte) error) {
		for i := range body {
			slips := []string{body[:i], body[:i] + body[i+1:]}
			for _, with := range []string{`"`, `\`, `{`, `[`, `]`, `}`, `,`, `:`, "\n", "\x00", "\xff", `\u0000`, `\ud800`, `null`, `1e400`, `"":`} {
				slips = append(slips, body[:i]+with+body[i:])
			}
			for _, slip := range slips {
				if strings.Contains(slip, canary+`":`) {
					continue // made a key of it: keys are names
				}
				if err := decode([]byte(slip)); err != nil && strings.Contains(err.Error(), canary) {
					t.Fatalf("%s: %v", slip, err)
				}
			}
		}
	}
	hold(`{"invocation_type":"Zk7QwX","instance_ids":["Zk7QwX!"],"version":"Zk7QwX!","x":[true,-1.5e3,{}],
 "remote_install_meta":[{"instance_name":"Zk7QwX\u0001","remote_ip":"Zk7QwX","user_name":"-Zk7QwX","port":"Zk7QwX","password":"Zk7QwX","remote_use_pem":"Zk7QwX"},
 {"remote_ip":"10.0.0.1","user_name":"root","password":"Zk7QwX","remote_use_pem":true},"Zk7QwX"]}`, api.DecodeCreate)
	hold(`{"instance_ids":["Zk7QwX!"],"uniagent_status":"Zk7QwX","extension_status":["Zk7QwX"],"x":[true,-1.5e3,{}]}`, api.DecodeStatus)
}
