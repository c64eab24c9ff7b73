package hostsfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/strictjson"
)

const path = "remote_install_meta"

// object is a good host with one field changed; nil takes it away.
func object(t *testing.T, field string, value any) string {
	t.Helper()
	fields := map[string]any{"instance_name": "web-1", "remote_ip": "192.0.2.1", "user_name": "root", "port": "22", "password": "pw-secret", "remote_use_pem": false}
	if value == nil {
		delete(fields, field)
	} else {
		fields[field] = value
	}
	raw, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(raw)
}

// decode reads a list as the API does: as a field of a body.
func decodeMeta(list []byte, request bool) ([]installer.HostEntry, installer.Faults) {
	var faults installer.Faults
	body := slices.Concat([]byte(`{"`+path+`":`), list, []byte(`}`))
	if !strictjson.Check(body, strictjson.Limits{Depth: 32}, &faults) {
		return nil, faults
	}
	f, _ := strictjson.FieldsOf(body, "", &faults)
	items, _ := strictjson.Read[[]jsontext.Value](f, path)
	return metaHosts(items, path, request, newKeyFiles("", nil), &faults), faults
}

func decodeOne(t *testing.T, field string, value any) (installer.HostEntry, installer.Faults) {
	t.Helper()
	hosts, faults := decodeMeta([]byte(`[`+object(t, field, value)+`]`), true)
	if len(faults) > 0 {
		return installer.HostEntry{}, faults
	}
	require.Len(t, hosts, 1)
	return hosts[0], nil
}

func testKey(t testing.TB, passphrase string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block))
}

func TestMetaGood(t *testing.T) {
	t.Parallel()
	host, faults := decodeOne(t, "port", "65535")
	require.Empty(t, faults)
	assert.Equal(t, installer.HostEntry{
		Where: "remote_install_meta[0]", HasSecret: true,
		Host:        installer.Host{Name: "web-1", Endpoint: installer.Endpoint{Address: "192.0.2.1", User: "root", Port: 65535}},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("pw-secret")}},
	}, host)

	hosts, faults := decodeMeta([]byte(`[]`), false)
	assert.Empty(t, faults)
	assert.Empty(t, hosts)
}

func TestMetaPasswordsAreByteExact(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"x", strings.Repeat("é", installer.MaxPassword), " spaces at the ends ", `"quo'tes\`, "日本語 🔑", "a\nb\tc", "-oX", "<&>\u2028"} {
		host, faults := decodeOne(t, "password", password)
		require.Empty(t, faults)
		assert.Equal(t, password, host.Credentials.Login.Password.Reveal())
		assert.True(t, host.Credentials.Login.PrivateKey.IsZero())
	}
}

func TestMetaRefused(t *testing.T) {
	t.Parallel()
	const ip = "must be an IPv4 address"
	for _, tc := range []struct {
		field string
		value any
		want  string
	}{
		{"remote_ip", "010.0.0.1", ip}, {"remote_ip", "256.1.1.1", ip}, {"remote_ip", "1.1", ip}, {"remote_ip", "0x7f.1", ip},
		{"remote_ip", "2130706433", ip}, {"remote_ip", "１.１.１.１", ip}, {"remote_ip", "10.0.0.0/8", ip}, {"remote_ip", "example.com", ip},
		{"remote_ip", "::1", ip}, {"remote_ip", "::ffff:127.0.0.1", ip}, {"remote_ip", " 192.0.2.1", ip}, {"remote_ip", "192.0.2.1\n", ip},
		{"remote_ip", "", ip}, {"remote_ip", 1, "must be a string, not a number"}, {"remote_ip", nil, "is missing"},
		{"port", "0", portRule}, {"port", "65536", portRule}, {"port", " 22", portRule}, {"port", "+22", portRule}, {"port", "022", portRule},
		{"port", "22\n", portRule}, {"port", "", portRule}, {"port", "２２", portRule}, {"port", "1e1", portRule}, {"port", 0, portRule},
		{"port", 65536, portRule}, {"port", -1, portRule}, {"port", 22.5, portRule}, {"port", true, "must be a string of digits, not true or false"},
		{"user_name", "", "is empty"}, {"user_name", "-oX", "begins with '-'"}, {"user_name", "a\nb", "control character"},
		{"user_name", "a\u0085", "control character"}, {"user_name", strings.Repeat("u", 17), "more than 16"}, {"user_name", nil, "is missing"},
		{"user_name", "a\x00", "holds a NUL character"},
		{"instance_name", "", "1 to 128"}, {"instance_name", strings.Repeat("n", 129), "at most 128 characters"},
		{"instance_name", "a\x1b[31m", "control character"},
		{"password", "", "1 to 3000 characters, not 0"}, {"password", strings.Repeat("secret", 501), "1 to 3000 characters, not 3006"},
		{"password", 123456789, "must be a string, not a number"}, {"password", "secret\x00", "holds a NUL character"},
		{"remote_use_pem", "true", "must be true or false, not a string"},
	} {
		_, faults := decodeOne(t, tc.field, tc.value)
		require.NotEmpty(t, faults, "%s %q", tc.field, tc.value)
		for _, f := range faults {
			assert.Equal(t, "remote_install_meta[0]."+tc.field, f.Where)
			assert.NotContains(t, f.What, "secret")
			assert.NotContains(t, f.What, "123456789")
		}
		assert.Contains(t, faults[0].What, tc.want)
	}
}

func TestMetaBareNumberIsAPort(t *testing.T) {
	t.Parallel()
	host, faults := decodeOne(t, "port", 22)
	require.Empty(t, faults)
	assert.Equal(t, uint16(22), host.Host.Port)
}

func TestMetaPEM(t *testing.T) {
	t.Parallel()
	one := func(password string) ([]installer.HostEntry, installer.Faults) {
		fields := map[string]any{"instance_name": "n", "remote_ip": "192.0.2.1", "user_name": "u", "port": "22", "password": password, "remote_use_pem": true}
		raw, err := json.Marshal([]any{fields})
		require.NoError(t, err)
		return decodeMeta(raw, false)
	}
	good := strings.ReplaceAll(testKey(t, ""), "\n", "\r\n")
	hosts, faults := one(good)
	require.Empty(t, faults)
	assert.False(t, hosts[0].DefaultKey)
	assert.Equal(t, good, hosts[0].Credentials.Login.PrivateKey.Reveal())
	assert.True(t, hosts[0].Credentials.Login.Password.IsZero())

	hosts, faults = one("") // the project's default key
	require.Empty(t, faults)
	assert.True(t, hosts[0].DefaultKey)
	assert.True(t, hosts[0].Credentials.Login.IsZero())

	_, faults = one(testKey(t, "pass"))
	assert.ErrorContains(t, faults, "remote_install_meta[0].password: the private key is encrypted")
	_, faults = one("hunter2")
	assert.ErrorContains(t, faults, "remote_install_meta[0].password: this is not a private key")
	assert.NotContains(t, faults.Error(), "hunter2")
}

func TestMetaAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, faults := decodeMeta([]byte(`[
		{"instance_name":"a","remote_ip":"192.0.2.1","user_name":"root","port":"22","password":"x"},
		{"instance_name":"b","remote_ip":"192.0.2.1","user_name":"admin","port":22,"password":"y"},
		{"instance_name":"c","remote_ip":"192.0.2.1","user_name":"root","port":"2222","password":"z"},
		{"instance_name":"d","remote_ip":"1.2","user_name":"","port":"0","password":"","extra":1,"Remote_IP":"192.0.2.9"},
		"host", null,
		{}
	]`), false)
	assert.Equal(t, strings.Join([]string{
		"remote_install_meta[1]: is the same address and port as remote_install_meta[0]",
		"remote_install_meta[3].remote_ip: must be an IPv4 address: four numbers of 0 to 255 without leading zeros, with dots between them",
		"remote_install_meta[3].port: " + portRule,
		"remote_install_meta[3].password: must have 1 to 3000 characters, not 0",
		"remote_install_meta[3].user_name: the user name is empty",
		"remote_install_meta[3].Remote_IP: is written remote_ip",
		"remote_install_meta[3].extra: is not a known field",
		"remote_install_meta[4]: must be an object, not a string",
		"remote_install_meta[5]: must be an object, not null",
		"remote_install_meta[6].remote_ip: is missing",
	}, "\n"), faults.Error())

	_, faults = decodeMeta([]byte(`{}`), false)
	require.EqualError(t, faults, "remote_install_meta: must be an array, not an object")
	_, faults = decodeMeta([]byte(`[`), false)
	require.EqualError(t, faults, "remote_install_meta[0]: is not JSON at line 1, column 25")
}

// TestMetaLeftOut: the port that is not given is one of its own.
func TestMetaLeftOut(t *testing.T) {
	t.Parallel()
	hosts, faults := decodeMeta([]byte(`[{"instance_name":"a","remote_ip":"192.0.2.1"},{"instance_name":"b","remote_ip":"192.0.2.1"},
		{"instance_name":"c","remote_ip":"192.0.2.2","port":"x"},{"instance_name":"d","remote_ip":"192.0.2.2"}]`), false)
	assert.Equal(t, path+"[1]: is the same address and port as "+path+"[0]\n"+path+"[2].port: "+portRule, faults.Error())
	assert.Equal(t, installer.HostEntry{Where: path + "[0]", Host: installer.Host{Name: "a", Endpoint: installer.Endpoint{Address: "192.0.2.1"}}}, hosts[0])
}

func FuzzMeta(f *testing.F) {
	f.Add([]byte(`[{"instance_name":"a","remote_ip":"192.0.2.1","user_name":"root","port":"22","password":"x"}]`))
	f.Add([]byte(`[{"instance_name":"a","remote_ip":"192.0.2.1","user_name":"root","port":22,"password":"","remote_use_pem":true}]`))
	f.Add([]byte(`[{},{},null,"x",{"password":"-----BEGIN","remote_use_pem":true}]`))
	f.Add([]byte(`{"a":1,"A":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		hosts, faults := decodeMeta(raw, true)
		for _, fault := range faults {
			require.NotEmpty(t, fault.Where)
			require.NotEmpty(t, fault.What)
		}
		if len(faults) > 0 {
			return
		}
		for _, h := range hosts {
			require.NotEmpty(t, h.Host.Address)
			require.Empty(t, installer.UserFault(h.Host.User, maxMetaUser))
		}
	})
}
