package hostsfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

func parse(text string, format Format, d Defaults) ([]installer.HostEntry, error) {
	return Parse("hosts", strings.NewReader(text), format, d)
}

func secret(s string) installer.Secret { return installer.NewSecret(s) }

// told checks that the faults are those, in that order, and that none quotes
// what the tests use for passwords.
func told(t *testing.T, err error, want ...string) {
	t.Helper()
	require.Error(t, err)
	_, ok := errors.AsType[installer.Faults](err)
	require.True(t, ok)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, len(want), "%s", err)
	for i, line := range lines {
		assert.Contains(t, line, want[i])
	}
	for _, s := range []string{"s3cret", "hunter2"} {
		assert.NotContains(t, err.Error(), s)
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	const ip, list, csv, json = FormatIPPassword, FormatList, FormatCSV, FormatJSON
	for text, want := range map[string]any{
		"10.0.0.1": list, "web1": list, "\n\n# c\nroot@web1:22": list, "10.0.0.[1,3]": list, "[::1]": list, "[::1]:22": list, "web:22": list,
		"10.0.0.1,s3cret": ip, " 10.0.0.1 ,s3cret": ip, "# c\n::1,s3cret": ip, "10.0.0.300,s3cret": ip, "10.0.0.1,22,s3cret": ip,
		"ip": csv, "\ufeffip,password": csv, `"Host","Sudo Password"`: csv, "name,colour": csv, "colour,IP": csv, "user,port": csv,
		"[]": json, "[\n {": json, " {": json, "\ufeff{": json,
		"[web]": "ansible", "[web:children]": "ansible", "web1 ansible_host=1": "ansible",
		"---\n": "YAML", "all:\n": "YAML", "- web1": "YAML", "a: b": "YAML",
		"host;user": "semicolons", "host\tuser": "semicolons",
		"web1,s3cret": "not recognised", "root@10.0.0.1,s3cret": "not recognised", "web1,web2": "one host on each line",
		"": "names no hosts", "# nothing\n\n": "names no hosts", "\ufeff": "names no hosts",
	} {
		c := newCollector("hosts", Defaults{}, 0)
		body, ok := c.readable([]byte(text))
		require.True(t, ok)
		got := c.recognise(body)
		if format, ok := want.(Format); ok {
			require.Empty(t, c.faults, "%q", text)
			assert.Equal(t, format, got, "%q", text)
			continue
		}
		require.Empty(t, got, "%q", text)
		told(t, c.err(), want.(string))
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, err := parse("a", "yaml", Defaults{})
	require.EqualError(t, err, "read hosts: unknown format: use one of [auto list ip-password csv json]")
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	d := Defaults{
		Project: "p1", User: "admin", Port: 2222, SudoPassword: secret("sudo"),
		Login: installer.Login{PrivateKey: secret("key"), Passphrase: secret("phrase")},
		Via:   []installer.Endpoint{{Address: "192.0.2.1", Port: 22, User: "jump"}, {Address: "192.0.2.2", Port: 22, User: "jump"}},
		ViaLogins: []installer.Login{
			{Password: secret("first")},
		},
	}
	entries, err := parse("10.0.0.1\nroot@10.0.0.2:22\n192.0.2.2:22\n192.0.2.1:22\n", FormatAuto, d)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	assert.Equal(t, installer.HostEntry{
		Where: "hosts:1",
		Host: installer.Host{
			ID: installer.InstanceID("p1", "10.0.0.1", 2222), Name: "10.0.0.1", Type: installer.ECS,
			Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 2222, User: "admin"}, Via: d.Via,
		},
		Credentials: installer.Credentials{Login: d.Login, SudoPassword: d.SudoPassword, Via: []installer.Login{{Password: secret("first")}, {}}},
	}, entries[0])
	assert.Equal(t, "root@10.0.0.2:22", entries[1].Host.User+"@"+entries[1].Host.HostPort())

	// Jump hosts that are hosts too are reached through those before them.
	assert.Equal(t, d.Via[:1], entries[2].Host.Via)
	assert.Len(t, entries[2].Credentials.Via, 1)
	assert.Empty(t, entries[3].Host.Via)

	// What the file has goes before the flags.
	entries, err = parse("10.0.0.1,pw\n", FormatIPPassword, d)
	require.NoError(t, err)
	assert.Equal(t, installer.Login{Password: secret("pw")}, entries[0].Credentials.Login)
	assert.Equal(t, "root", entries[0].Host.User)
	assert.Equal(t, uint16(2222), entries[0].Host.Port)
}

func TestListFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.1 s3cret":                     "hosts:1: there is more after the host",
		"10.0.0.1\ts3cret":                    "there is more after the host",
		"web1,s3cret":                         "there is a comma",
		"10.0.0.1;s3cret":                     "there is a semicolon",
		"10.0.0.1;root;s3cret":                "there is a semicolon",
		"root:s3cret@10.0.0.1":                "passwords do not belong here",
		"@10.0.0.1":                           "the user name is empty",
		"-oProxyCommand=s3cret@10.0.0.1":      "begins with '-'",
		strings.Repeat("u", 65) + "@10.0.0.1": "more than 64 characters",
		"a\u0085b@10.0.0.1":                   "control character",
		"10.0.0.1:":                           "the port must be a port",
		"10.0.0.1:022":                        "the port must be a port",
		"10.0.0.1:0":                          "the port must be a port",
		"10.0.0.1:65536":                      "the port must be a port",
		"10.0.0.1:s3cret":                     "the port must be a port",
		"10.0.0.1:22:33":                      "more than one ':'",
		":22":                                 "there is no host",
		"root@":                               "there is no host",
		"010.0.0.1":                           "neither a host name nor a valid IPv4 address",
		"256.1.1.1":                           "neither a host name nor a valid IPv4 address",
		"1.1":                                 "neither a host name nor a valid IPv4 address",
		"0x7f.1":                              "neither a host name nor a valid IPv4 address",
		"0x7f000001":                          "neither a host name nor a valid IPv4 address",
		"2130706433":                          "neither a host name nor a valid IPv4 address",
		"１.１.１.１":                             "ASCII characters only",
		"10.0.0.0/8":                          "letters, digits, '-' and '.' only",
		"exa_mple":                            "letters, digits, '-' and '.' only",
		"-web":                                "begins or ends with '-'",
		"web-.example":                        "begins or ends with '-'",
		"web..example":                        "each part of a host name",
		"café.example":                        "xn--",
		strings.Repeat("a", 64):               "1 to 63 characters",
		strings.Repeat("a.", 126) + "a":       "", // 253 characters
		strings.Repeat("a.", 127) + "aa.b":    "1 to 253 characters",
		"2001:db8::1":                         "stands in brackets",
		"[2001:db8::1":                        "more than one ':'",
		"[2001:db8::1]x":                      "there is more after the address in brackets",
		"[2001:db8::g]":                       "not a valid IPv6 address",
		"[fe80::1%eth0]":                      "with a zone",
		"web[01:12]":                          "ranges are written with '-'",
		"[01:50].example":                     "ranges are written with '-'",
		"web[]":                               rangeRule,
		"web[a-c]":                            rangeRule,
		"web[1-]":                             rangeRule,
		"web[+1-2]":                           rangeRule,
		"web[1-2-3]":                          rangeRule,
		"web[1-1234567890]":                   rangeRule,
		"web[5-1]":                            "goes down",
		"web[001-12]":                         "as many digits at both ends",
		"web[1-3":                             "a '[' without a ']'",
		"web1-3]":                             "a ']' without a '['",
		"web[1-3]]":                           "a ']' without a '['",
		"web[1-100000000]":                    "more than 100000 hosts",
		"web[1-1000][1-1000]":                 "more than 100000 hosts",
		"10.0.0.[250-260]":                    "the range makes a bad host: this is neither",
		"10.0.0.[01-12]":                      "the range makes a bad host: this is neither",
		"10.0.0.1\n[web]":                     "hosts:2: this looks like an ansible inventory",
		"web[1-3]\nweb2\nweb[2-9]":            "hosts:2: web2:22 is there already: hosts:1",
	} {
		entries, err := parse(text, FormatList, Defaults{})
		switch {
		case want == "":
			assert.NoError(t, err, text)
		case strings.Contains(text, "web[2-9]"): // one fault a line, not one a host
			told(t, err, want, "hosts:3: web2:22 is there already: hosts:1")
		default:
			told(t, err, want)
		}
		if err != nil {
			assert.Empty(t, entries)
		}
	}
}

func TestListForms(t *testing.T) {
	t.Parallel()
	entries, err := parse("\ufeffWEB.Example.:22 # c\r\n\tb#c@web#\r\n", FormatList, Defaults{})
	told(t, err, "hosts:2: a host name has letters")
	assert.Empty(t, entries)

	entries, err = parse("\ufeffWEB.Example.:22 # c\r\n\troot@corp@web2\r\n[::ffff:192.0.2.7]\n[2001:DB8:0::1]\nx[8-11]\nx[08-09]\n[1-2].example\nn[007]", FormatList, Defaults{})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"root@web.example:22", "root@corp@web2:22", "root@192.0.2.7:22", "root@[2001:db8::1]:22",
		"root@x8:22", "root@x9:22", "root@x10:22", "root@x11:22", "root@x08:22", "root@x09:22",
	}, places(entries[:10]))
	_, err = parse("x[8-11]\nx[10-11]", FormatList, Defaults{})
	told(t, err, "hosts:2: x10:22 is there already: hosts:1")
}

func TestIPPassword(t *testing.T) {
	t.Parallel()
	entries, err := parse("10.0.0.1,a,b \r\n\r\n  # c,d\r\n10.0.0.2, # kept\n10.0.0.3,\"quoted\"\n::ffff:10.0.0.4,é\n10.0.0.5,x", FormatIPPassword, Defaults{})
	require.NoError(t, err)
	var passwords []string
	for _, e := range entries {
		passwords = append(passwords, e.Credentials.Password.Reveal())
	}
	assert.Equal(t, []string{"a,b ", " # kept", `"quoted"`, "é", "x"}, passwords)
	assert.Equal(t, "10.0.0.4", entries[3].Host.Address)

	_, err = parse("10.0.0.1,s3cret\n10.0.0.2 s3cret\nweb,s3cret\n10.0.0.4,\n10.0.0.1,s3cret2\nfe80::1%1,s3cret\n10.0.0.7,"+strings.Repeat("s3cret", 501), FormatIPPassword, Defaults{})
	told(t, err,
		"hosts:2: there is no comma",
		"hosts:3 ip: the part before the comma must be an IP address",
		"hosts:4 password: the password is empty",
		"hosts:5: 10.0.0.1:22 is there already: hosts:1",
		"hosts:6 ip: the part before the comma must be an IP address",
		"hosts:7 password: must have at most 3000 characters")
}

func TestCSV(t *testing.T) {
	t.Parallel()
	entries, err := parse("IP, User Name ,PASSWORD,sudo-password,type,Name\r\n10.0.0.1,admin, s3cret ,\"a,\"\"b\"\"\",bms, one \r\n,,,,,\r\n# comment\r\n2001:db8::1,,,,,\r\n[2001:db8::2]:2222,,,,,,,\r\nme@10.0.0.[8-9],,x,,,\r\n", FormatAuto, Defaults{})
	require.NoError(t, err)
	assert.Equal(t, []string{"admin@10.0.0.1:22", "root@[2001:db8::1]:22", "root@[2001:db8::2]:2222", "me@10.0.0.8:22", "me@10.0.0.9:22"}, places(entries))
	one := entries[0]
	assert.Equal(t, " s3cret ", one.Credentials.Password.Reveal())
	assert.Equal(t, `a,"b"`, one.Credentials.SudoPassword.Reveal())
	assert.Equal(t, installer.BMS, one.Host.Type)
	assert.Equal(t, "one", one.Host.Name)
	assert.True(t, one.HasSecret)
	assert.False(t, entries[1].HasSecret)
	assert.Equal(t, "hosts:5", entries[1].Where)
}

func TestCSVFaults(t *testing.T) {
	t.Parallel()
	_, err := parse("ip,hunter2\n10.0.0.1,s3cret", FormatAuto, Defaults{})
	told(t, err, "hosts:1: column 2 of the header has no known name: use address, name, port")
	_, err = parse("ip,address\n", FormatAuto, Defaults{})
	told(t, err, "hosts:1 address: is there twice in the header")
	_, err = parse("user,password\n", FormatAuto, Defaults{})
	told(t, err, "hosts:1 address: is missing in the header")
	_, err = parse("ip,user\n", FormatAuto, Defaults{})
	told(t, err, "hosts: names no hosts")
	_, err = parse("10.0.0.1,hunter2\n", FormatCSV, Defaults{})
	told(t, err, "column 1 of the header", "column 2 of the header")

	_, err = parse(strings.Join([]string{
		"ip,port,user,password,host_key,via,instance_id,type,name",
		"10.0.0.1,65536,,,,,,,",
		"10.0.0.2,22,-x,s3cret,,,,,",
		"10.0.0.3,22,,s3cret,hunter2,,,,",
		"10.0.0.4,22,,s3cret,SHA256:AAAA,,,,",
		"10.0.0.5,22,,s3cret,,hunter2 x,,,",
		"10.0.0.6,22,,s3cret,,,a_b,,",
		"10.0.0.7,22,,s3cret,,,,VM,",
		"10.0.0.8,22,,s3cret,,,,,a\x1bb",
		"10.0.0.9,22,s3cret",
		"10.0.0.10,22,,s3cret,,,,,,extra",
		"10.0.0.11,22,,\"s3\ncret\",,,,,",
		"me@10.0.0.12:23,22,you,s3cret,,,,,",
		"10.0.0.[13-14],22,,s3cret,,,,,name",
		"10.0.0.15,22,,s3cret,,,same,,",
		"10.0.0.16,22,,s3cret,,,same,,",
		"10.0.0.17,22,,s3cret,,10.0.0.17,,,",
		",22,,s3cret,,,,,",
		"host name,22,,s3cret,,,,,",
		"fe80::1%eth0,22,,s3cret,,,,,",
		"10.0.0.20,22,x,\"s3cret\"s3cret,,,,,",
		"10.0.0.21,022,-x,s3cret,,,,VM,", // several on one line
		"10.0.0.22,22,x,\"s3cret,,,,,",
	}, "\n"), FormatAuto, Defaults{})
	told(t, err,
		"hosts:2 port: must be a port",
		"hosts:3 user: the user name begins with '-'",
		"hosts:4 host_key: is neither a public key",
		"hosts:5 host_key: is not a SHA256: fingerprint",
		"hosts:6 via: a host name has letters",
		"hosts:7 instance_id: must be 1–64 letters",
		"hosts:8 type: must be ECS or BMS",
		"hosts:9 name: holds a control character",
		"hosts:10: has 3 fields, the header has 9",
		"hosts:11: has 10 fields, the header has 9",
		"hosts:12 password: holds a line break",
		"hosts:14 address: has a user or port, and so has a column of its own",
		"hosts:15 address: a range makes several hosts",
		"hosts:17: the instance_id is there already: hosts:16",
		"hosts:18 via: the host is its own jump host",
		"hosts:19 address: is empty",
		"hosts:20 address: holds a space",
		"hosts:21 address: an IPv6 address with a zone",
		"hosts:22: a field in quotes",
		"hosts:23 port: must be a port", "hosts:23 user: the user name", "hosts:23 type: must be",
		"hosts:24: a field in quotes is not closed")
}

func TestCSVKeys(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	plain := string(pem.EncodeToMemory(block))
	const phrase = "example-passphrase"
	text, err := os.ReadFile("../../testdata/hosts/example_ed25519_encrypted") // quick to open
	require.NoError(t, err)
	encrypted := string(text)
	reads := map[string]int{}
	d := Defaults{ReadFile: func(path string) ([]byte, error) {
		reads[path]++
		switch path {
		case "dir/plain", "/abs/plain":
			return []byte(plain), nil
		case "dir/encrypted":
			return []byte(encrypted), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}}
	parse := func(text string, d Defaults) ([]installer.HostEntry, error) {
		return Parse("dir/hosts.csv", strings.NewReader(text), FormatAuto, d)
	}
	entries, err := parse("ip,key,passphrase,password\n10.0.0.1,plain,,\n10.0.0.2,plain,,both\n10.0.0.3,/abs/plain,,\n10.0.0.4,encrypted,"+phrase+",\n10.0.0.5,\""+plain+"\",,\n", d)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"dir/plain": 1, "/abs/plain": 1, "dir/encrypted": 1}, reads)
	assert.Equal(t, installer.Login{PrivateKey: secret(plain)}, entries[0].Credentials.Login)
	assert.Equal(t, installer.Login{PrivateKey: secret(plain), Password: secret("both")}, entries[1].Credentials.Login)
	assert.Equal(t, installer.Login{PrivateKey: secret(encrypted), Passphrase: secret(phrase)}, entries[3].Credentials.Login)
	assert.Equal(t, strings.TrimSpace(plain), entries[4].Credentials.PrivateKey.Reveal())
	assert.Equal(t, []bool{false, true, false, true, true}, []bool{entries[0].HasSecret, entries[1].HasSecret, entries[2].HasSecret, entries[3].HasSecret, entries[4].HasSecret})

	d.Login.Passphrase = secret(phrase)
	_, err = parse("ip,key\n10.0.0.4,encrypted\n", d)
	require.NoError(t, err, "the flags' passphrase serves where the file has none")
	d.Login.Passphrase = installer.Secret{}

	_, err = parse("ip,key,passphrase\n10.0.0.1,hunter2,\n10.0.0.2,hunter2,\n10.0.0.3,encrypted,\n10.0.0.4,encrypted,s3cret\n10.0.0.5,,s3cret\n10.0.0.6,\"-----BEGIN s3cret\",\n", d)
	told(t, err,
		"dir/hosts.csv:2 key: the key file cannot be read: file does not exist",
		"dir/hosts.csv:3 key: the key file cannot be read: file does not exist",
		"dir/hosts.csv:4 key: the private key is encrypted",
		"dir/hosts.csv:5 key: the passphrase does not open the private key",
		"dir/hosts.csv:6 passphrase: has a passphrase, but",
		"dir/hosts.csv:7 key: the private key has lost its line breaks")
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	for in, want := range map[string]string{line: line, line + " a comment": line, ssh.FingerprintSHA256(key): ssh.FingerprintSHA256(key), ssh.FingerprintSHA256(key) + "=": ssh.FingerprintSHA256(key)} {
		entries, err := parse("ip,host_key\n10.0.0.1,"+in+"\n", FormatAuto, Defaults{})
		require.NoError(t, err, in)
		assert.Equal(t, want, entries[0].Host.HostKey)
	}
}

func TestVia(t *testing.T) {
	t.Parallel()
	const file = "ip,user,password,via,instance_id\n" +
		"192.0.2.1,jump,hop-pw,-,\n" +
		"10.0.0.1,,a,jump@192.0.2.1,inner-1\n" +
		"10.0.0.1,,b,\"jump@192.0.2.1,other@192.0.2.2:2222\",inner-2\n" +
		"10.0.0.2,,c,,\n"
	login := installer.Login{PrivateKey: secret("target key"), Password: secret("target password")}
	flag := installer.Endpoint{Address: "192.0.2.9", Port: 22, User: "flag"}
	other := installer.Endpoint{Address: "192.0.2.2", Port: 2222, User: "other"}
	entries, err := parse(file, FormatAuto, Defaults{
		Login: login, Via: []installer.Endpoint{flag, other}, ViaLogins: []installer.Login{{Password: secret("flag-pw")}, {PrivateKey: secret("other-key")}},
	})
	require.NoError(t, err)
	assert.Empty(t, entries[0].Host.Via)
	assert.Equal(t, []installer.Login{{Password: secret("hop-pw")}}, entries[1].Credentials.Via)
	assert.Equal(t, []installer.Login{{Password: secret("hop-pw")}, {PrivateKey: secret("other-key")}}, entries[2].Credentials.Via)
	assert.Equal(t, other, entries[2].Host.Via[1])
	assert.Equal(t, []installer.Endpoint{flag, other}, entries[3].Host.Via)
	assert.Equal(t, []installer.Login{{Password: secret("flag-pw")}, {PrivateKey: secret("other-key")}}, entries[3].Credentials.Via)

	// What is meant for the targets does not go to a hop that nothing is known of.
	_, err = parse(file, FormatAuto, Defaults{Login: login})
	told(t, err, "hosts:4 via: no login is known for other at the jump host 192.0.2.2:2222")

	_, err = parse("ip,via\n10.0.0.1,192.0.2.1\n10.0.0.1,192.0.2.2\n10.0.0.1,192.0.2.1\n192.0.2.1,-\n", FormatAuto, Defaults{Login: login})
	told(t, err, "hosts:3: 10.0.0.1:22 is there already, through other jump hosts: hosts:2; give each an instance_id",
		"hosts:4: 10.0.0.1:22 is there already: hosts:2")

	for text, want := range map[string]string{"": "no host", "a,,b": "no host", "a,a": "twice", "web[1-2]": "range", "u:p@a": "passwords do not belong", "a,b,c,d,e,f,g,h,i": "more than eight"} {
		_, err := ParseVia(text, "root", 22)
		require.ErrorContains(t, err, want, "%q", text)
	}
	via, err := ParseVia("a , b@[2001:db8::1]:2222", "root", 22)
	require.NoError(t, err)
	assert.Equal(t, []installer.Endpoint{{Address: "a", Port: 22, User: "root"}, {Address: "2001:db8::1", Port: 2222, User: "b"}}, via)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	d := Defaults{User: "admin", Port: 2222, Login: installer.Login{Password: secret("flags")}}
	entries, err := parse("\ufeff[{\"instance_name\":\"a\",\"remote_ip\":\"10.0.0.1\"},{\"instance_name\":\"b\",\"remote_ip\":\"10.0.0.2\",\"user_name\":\"root\",\"port\":22,\"password\":\" é\"}]", FormatAuto, d)
	require.NoError(t, err)
	assert.Equal(t, []string{"admin@10.0.0.1:2222", "root@10.0.0.2:22"}, places(entries))
	assert.Equal(t, "flags", entries[0].Credentials.Password.Reveal())
	assert.Equal(t, " é", entries[1].Credentials.Password.Reveal())
	assert.Equal(t, []bool{false, true}, []bool{entries[0].HasSecret, entries[1].HasSecret})
	assert.Equal(t, "hosts [1]", entries[1].Where)

	for text, want := range map[string]string{
		`{"hosts":[]}`:               "hosts: has no remote_install_meta",
		`[]`:                         "hosts: names no hosts",
		`{"remote_install_meta":{}}`: "hosts remote_install_meta: must be an array, not an object",
		`{"remote_install_meta":[}`:  "hosts remote_install_meta[0]: is not JSON at line 1",
		`[{"instance_name":"a","remote_ip":"10.0.0.1","port":"2222"},{"instance_name":"a","remote_ip":"10.0.0.1"}]`: "hosts [1]: 10.0.0.1:2222 is there already: hosts [0]",
		`[{"instance_name":"a","remote_ip":"1","password":"s3cret"}]`:                                               "hosts [0].remote_ip: must be an IPv4 address",
	} {
		_, err := parse(text, FormatAuto, d)
		told(t, err, want)
	}
	_, err = parse("x", FormatJSON, d)
	told(t, err, "hosts: is not JSON at line 1, column 1")
}

// TestRangesAreMadeOneByOne: a bad host ends its line before the others are made.
func TestRangesAreMadeOneByOne(t *testing.T) {
	line := "[0-99999]" + strings.Repeat("[0]", 300)
	made := testing.AllocsPerRun(1, func() {
		_, err := parse(line, FormatList, Defaults{})
		told(t, err, "hosts:1: the range makes a bad host")
	})
	assert.Less(t, made, 10_000.0)
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	_, err := parse("10.0.0.1,caf\xe9s3cret\n10.0.0.2,x\n10.0.0.3,\xff\n", FormatAuto, Defaults{})
	told(t, err, "hosts:1: holds bytes that are not UTF-8", "hosts:3: holds bytes that are not UTF-8")
	_, err = parse("\xff\xfei\x00p\x00", FormatAuto, Defaults{})
	told(t, err, "hosts: is in UTF-16: save it as UTF-8")
	_, err = parse("10.0.0.1\x00", FormatAuto, Defaults{})
	told(t, err, "hosts: holds NUL bytes")
}

func TestBounds(t *testing.T) {
	t.Parallel()
	c := newCollector("hosts", Defaults{}, 0)
	c.entries = make([]installer.HostEntry, MaxHosts-2, MaxHosts)
	c.list([]byte("[1-3].x\na\nb\nc\nd e\n"))
	told(t, c.err(), "hosts:1: makes more than 100000 hosts", "hosts:5: there is more after the host")
	assert.Len(t, c.entries, MaxHosts)

	_, err := parse(strings.Repeat("-\n", maxFaults+7), FormatList, Defaults{})
	faults, ok := errors.AsType[installer.Faults](err)
	require.True(t, ok)
	assert.Len(t, faults, maxFaults+1)
	assert.Equal(t, "hosts: and 7 more faults", faults[maxFaults].String())

	_, err = Parse("hosts", iotest.ErrReader(errors.New("broken")), FormatAuto, Defaults{})
	require.EqualError(t, err, "read hosts: broken")
	_, err = Parse("hosts", endless{}, FormatAuto, Defaults{})
	told(t, err, "hosts: is larger than 64 MiB")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func ExampleParse() {
	file := strings.NewReader("10.0.0.[1-2]\nadmin@web.example.com:2222\n")
	entries, err := Parse("hosts", file, FormatAuto, Defaults{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range entries {
		fmt.Println(e.Where, e.Host.User, e.Host.HostPort())
	}
	// Output:
	// hosts:1 root 10.0.0.1:22
	// hosts:1 root 10.0.0.2:22
	// hosts:2 admin web.example.com:2222
}
