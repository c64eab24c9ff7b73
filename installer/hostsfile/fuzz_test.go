package hostsfile

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

var seeds = []string{
	"10.0.0.1\nroot@web1:22\n[::1]:22\n[2001:db8::1]\nweb[01-12].example # c\n10.0.[0-1].[1,3,5-9]\n",
	"a@b@c:1\n[fe80::1%eth0]\n[::ffff:127.0.0.1]\nweb[1-\nweb]1[\n[1:2]\n::1\n",
	"10.0.0.1,pw,with commas \r\n# c\n::1,x\n10.0.0.300,x\nx\n",
	"ip,port,user,password,key,passphrase,sudo_password,host_key,via,instance_id,type,name\n10.0.0.1,22,root,p,,,s,SHA256:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY,a@b:1,id,ECS,n\n",
	"\ufeffip,via\r\n10.0.0.1,\"a,b\"\r\n10.0.0.[1-2],-\r\n,\r\n\"\n",
	`{"remote_install_meta":[{"instance_name":"a","remote_ip":"192.0.2.1","user_name":"root","port":"22","password":"x"}]}`,
	`[{"instance_name":"a","remote_ip":"192.0.2.1"}]`,
	`[{"remote_ip":"192.0.2.1","instance_id":"i-1","instance_type":"BMS","labels":{"env":"x"},"intranet_ips":["10.0.0.1"],"elastic_ips":[1]}]`,
	"ip,var.A,secret.B\n10.0.0.[1-2],\" ' \n\",s3cret\n",
	`[{"remote_ip":"192.0.2.1","vars":{"A":"x","1":2},"secret_vars":{"B":""}}]`,
	"ip,labels,intranet_ips,elastic_ips,instance_type\n10.0.0.1,a=b;c,10.0.0.1;::1,8.8.8.8,BMS\n",
	"[web]\nweb1 ansible_host=1\n", "---\nall:\n", "host;user\n", "ip\n10.0.0.1\n",
}

// Whatever a file holds: no panic, faults with a place and a text, and entries
// that every other part can rely on.
func FuzzParse(f *testing.F) {
	for i, seed := range seeds {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, format uint8) {
		d := Defaults{
			Login:    installer.Login{PrivateKey: installer.NewSecret("key")},
			ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
		}
		entries, err := parse(text, Formats[int(format)%len(Formats)], d)
		if err != nil {
			faults, ok := errors.AsType[installer.Faults](err)
			require.True(t, ok, "%v", err)
			require.NotEmpty(t, faults)
			require.Empty(t, entries)
			for _, fault := range faults {
				require.True(t, strings.HasPrefix(fault.Where, "hosts"))
				require.NotEmpty(t, fault.What)
			}
			return
		}
		require.NotEmpty(t, entries)
		ids, seen := map[string]bool{}, map[string]bool{}
		for _, e := range entries {
			requireEndpoint(t, e.Host.Endpoint)
			for _, hop := range e.Host.Via {
				requireEndpoint(t, hop)
			}
			require.Len(t, e.Credentials.Via, len(e.Host.Via))
			require.NotEmpty(t, e.Host.Name)
			require.True(t, installer.IDForm.MatchString(e.Host.ID))
			require.LessOrEqual(t, len(e.Host.Labels), installer.MaxLabels)
			for name, value := range e.Host.Labels {
				require.Empty(t, installer.LabelFault(name, value))
			}
			for _, ip := range append(e.Host.IntranetIPs, e.Host.ElasticIPs...) {
				_, err := netip.ParseAddr(ip)
				require.NoError(t, err)
			}
			require.False(t, ids[e.Host.ID])
			ids[e.Host.ID] = true
			place := fmt.Sprint(e.Host.HostPort(), e.Host.Via)
			require.False(t, seen[place])
			seen[place] = true
		}
	})
}

func requireEndpoint(t *testing.T, e installer.Endpoint) {
	t.Helper()
	require.NotZero(t, e.Port)
	require.Empty(t, installer.UserFault(e.User, installer.MaxUser))
	addr, err := netip.ParseAddr(e.Address)
	if err == nil {
		require.Equal(t, addr.Unmap().WithZone("").String(), e.Address)
		return
	}
	name, err := installer.ParseAddress(e.Address)
	require.NoError(t, err)
	require.Equal(t, name, e.Address)
}

// The secret part of a line is never told, whatever is wrong around it.
func FuzzNoSecretInFaults(f *testing.F) {
	for _, before := range []string{"10.0.0.1,", "10.0.0.1,::1 ", "10.0.0.300,", "ip,password\n10.0.0.1,", "ip,password,port\n1,", "ip,port\n1,", "root:", "10.0.0.1 ", "10.0.0.1:", "x,", "[web]\nx ansible_password="} {
		f.Add(before, ",x", uint8(0))
		f.Add(before, "@10.0.0.1\n", uint8(1))
		f.Add(before, "\"\n", uint8(3))
	}
	f.Fuzz(func(t *testing.T, before, after string, format uint8) {
		const canary = "Zk7QwXcanary"
		_, err := parse(before+canary+after, Formats[int(format)%len(Formats)], Defaults{})
		if faults, ok := errors.AsType[installer.Faults](err); ok {
			for _, fault := range faults {
				if strings.Contains(fault.Where, canary) {
					t.Skip("a JSON key: keys are names, not secrets")
				}
				// What is told twice has been accepted as a host name, and is
				// a host name therefore.
				if strings.Contains(fault.What, "is there already") {
					continue
				}
				require.NotContains(t, strings.ToLower(fault.What), strings.ToLower(canary))
			}
		}
	})
}

func FuzzParseVia(f *testing.F) {
	for _, s := range []string{"a", "a@b:22,c", "[::1]:22", "u:p@h", "web[1-2]", ",", "a@[::ffff:1.2.3.4]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		via, err := ParseVia(text, "root", 22)
		if err != nil {
			return
		}
		require.NotEmpty(t, via)
		for _, hop := range via {
			requireEndpoint(t, hop)
		}
	})
}

func BenchmarkParse10000(b *testing.B) {
	var list, csv, ip strings.Builder
	csv.WriteString("name,address,port,user,password\n")
	for i := range 10_000 {
		address := fmt.Sprintf("10.%d.%d.%d", i/62500, i/250%250, i%250+1)
		fmt.Fprintf(&list, "root@%s:22\n", address)
		fmt.Fprintf(&csv, "web-%d,%s,22,root,password-%d\n", i, address, i)
		fmt.Fprintf(&ip, "%s,Passw0rd-%d\n", address, i)
	}
	for name, text := range map[string]string{"list": list.String(), "csv": csv.String(), "ip-password": ip.String(), "range": "10.0.[0-39].[1-250]\n"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				entries, err := parse(text, FormatAuto, Defaults{})
				if err != nil || len(entries) != 10_000 {
					b.Fatal(len(entries), err)
				}
			}
		})
	}
}
