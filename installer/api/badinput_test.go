package api_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/policy"
)

func denyLoopback(c *api.Config) {
	p, err := policy.New(nil, nil)
	if err != nil {
		panic(err)
	}
	c.Policy = p.Check
}

// TestBJSON: whatever two readers could understand differently is refused,
// with the path.
func TestBJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const head = `{"invocation_type":"REMOTE_INSTALL",`
	entry := func(fields string) string {
		return head + `"remote_install_meta":[{"remote_ip":"10.0.0.1","user_name":"root","port":"22",` + fields + `}]}`
	}
	for _, tc := range []struct{ name, body, where string }{
		{"duplicate key", `{"invocation_type":"REMOTE_INSTALL","invocation_type":"RETRY"}`, "invocation_type"},
		{"duplicate key in a host", entry(`"password":"a","password":"b"`), "remote_install_meta[0].password"},
		{"other case", `{"Invocation_Type":"REMOTE_INSTALL"}`, "Invocation_Type"},
		{"other case in a host", entry(`"password":"a","PASSWORD":"b"`), "remote_install_meta[0].PASSWORD"},
		{"data after the document", entry(`"password":"a"`) + `{}`, "document"},
		{"byte order mark", "\xef\xbb\xbf" + entry(`"password":"a"`), "document"},
		{"NUL byte", entry("\"password\":\"a\x00\""), "remote_install_meta[0].password"},
		{"NUL escape", entry(`"password":"a\u0000"`), "remote_install_meta[0].password"},
		{"bad UTF-8", entry("\"password\":\"a\xff\""), "remote_install_meta[0].password"},
		{"lone surrogate", entry(`"password":"\ud800"`), "remote_install_meta[0].password"},
		{"deep nesting", head + `"x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, "x[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"},
		{"1e400", head + `"x":1e400}`, "x"},
		{"null type", `{"invocation_type":null}`, "invocation_type"},
		{"null list", head + `"remote_install_meta":null}`, "remote_install_meta"},
		{"null host", head + `"remote_install_meta":[null]}`, "remote_install_meta[0]"},
		{"null password", entry(`"password":null`), "remote_install_meta[0].password"},
		{"null id", head + `"instance_ids":[null]}`, "instance_ids[0]"},
		{"number for a string", entry(`"password":1`), "remote_install_meta[0].password"},
		{"string for a bool", entry(`"password":"a","remote_use_pem":"true"`), "remote_install_meta[0].remote_use_pem"},
		{"object for a list", head + `"remote_install_meta":{}}`, "remote_install_meta"},
		{"array at the top", `[]`, "document"},
		{"no JSON", `hello`, "document"},
		{"half a document", head, "document"},
		{"no type", `{}`, "invocation_type"},
		{"unknown type", `{"invocation_type":"DESTROY"}`, "invocation_type"},
		{"unknown target", head + `"invocation_target":"other"}`, "invocation_target"},
		{"unknown version_type", head + `"version_type":"X"}`, "version_type"},
		{"unknown origin", head + `"origin":"X"}`, "origin"},
		{"version", head + `"version":"a b"}`, "version"},
		{"long version", head + `"version":"` + strings.Repeat("1", 65) + `"}`, "version"},
		{"no hosts", head + `"x":1}`, "remote_install_meta"},
		{"no ids", `{"invocation_type":"SET_REMOTE_INSTALLER"}`, "instance_ids"},
		{"hosts for a jump host", `{"invocation_type":"SET_REMOTE_INSTALLER","instance_ids":["a"],"remote_install_meta":[{"remote_ip":"10.0.0.1","user_name":"root"}]}`, "remote_install_meta"},
		{"id", head + `"instance_ids":["a_b"]}`, "instance_ids[0]"},
		{"long id", head + `"instance_ids":["ok","` + strings.Repeat("a", 65) + `"]}`, "instance_ids[1]"},
		{"invocation id", head + `"invocation_ids":["../x"]}`, "invocation_ids[0]"},
		{"unknown field in a host", entry(`"password":"a","sudo":"x"`), "remote_install_meta[0].sudo"},
		{"no user", head + `"remote_install_meta":[{"remote_ip":"10.0.0.1","password":"x"}]}`, "remote_install_meta[0].user_name"},
		{"no address", head + `"remote_install_meta":[{"user_name":"root","password":"x"}]}`, "remote_install_meta[0].remote_ip"},
		{"the same host twice", remoteInstall(host(nil), host(nil)), "remote_install_meta[1]"},
		{"no invocations to retry", `{"invocation_type":"RETRY","instance_ids":["a"]}`, "invocation_ids"},
		{"no invocations to roll back", `{"invocation_type":"ROLLBACK"}`, "invocation_ids"},
		{"no hosts to install on", `{"invocation_type":"INSTALL","invocation_ids":["a"]}`, "instance_ids"},
		{"no hosts to update", `{"invocation_type":"UPDATE"}`, "instance_ids"},
		{"hosts for a retry", `{"invocation_type":"RETRY","invocation_ids":["a"],"remote_install_meta":[{"remote_ip":"10.0.0.1","user_name":"root"}]}`, "remote_install_meta"},
		{"an id twice", `{"invocation_type":"INSTALL","instance_ids":["a","b","a"]}`, "instance_ids[2]"},
		{"an invocation twice", `{"invocation_type":"ROLLBACK","invocation_ids":["a","a"]}`, "invocation_ids[1]"},
		{"null ids", `{"invocation_type":"RETRY","invocation_ids":null}`, "invocation_ids"},
		{"string for ids", `{"invocation_type":"RETRY","invocation_ids":"a"}`, "invocation_ids"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.send(http.MethodPost, create, tc.body).refused(t, http.StatusBadRequest, api.CodeBodyInvalid, tc.where+": ")
		})
	}
	r.nothingStored()
}

func TestBHostFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for field, values := range map[string][]any{
		"remote_ip":     {"010.0.0.1", "256.1.1.1", "1.1", "0x7f.1", "2130706433", "１２７.0.0.1", "10.0.0.0/8", "example.com", "", "::1", "::ffff:10.0.0.1", "10.0.0.1\n", 10},
		"port":          {"0", "65536", " 22", "+22", "022", "22\n", "", "1e3", 0, 65536, 22.5, -1, true},
		"user_name":     {"", "-oX", "a\nb", "a\x00b", strings.Repeat("u", 17), 0},
		"instance_name": {"", strings.Repeat("n", 129), "a\x1b[2J", "a\nb"},
	} {
		for _, v := range values {
			r.send(http.MethodPost, create, remoteInstall(host(map[string]any{field: v}))).
				refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "remote_install_meta[0]."+field+": ")
		}
	}
	r.nothingStored()
	for field, values := range map[string][]any{
		"port":          {"1", "65535", 22},
		"user_name":     {"u", strings.Repeat("u", 16)},
		"instance_name": {"é", strings.Repeat("é", 128)},
	} {
		for _, v := range values {
			r.send(http.MethodPost, create, remoteInstall(host(map[string]any{field: v}))).created(t)
		}
	}
}

// TestBEveryPathAtOnce: one answer names all that is wrong, and no value.
func TestBEveryPathAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := entries(100)
	for i := range list {
		list[i]["port"] = "S3CR3T"
		list[i]["user_name"] = ""
	}
	a := r.send(http.MethodPost, create, asJSON(map[string]any{
		"invocation_type": "S3CR3T", "version": "S3CR3T!", "instance_ids": []string{"S3CR3T!"}, "remote_install_meta": list,
	}))
	a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "invocation_type: ", "version: ", "instance_ids[0]: ")
	for i := range list {
		require.Contains(t, a.err.Msg, fmt.Sprintf("remote_install_meta[%d].port: ", i))
		require.Contains(t, a.err.Msg, fmt.Sprintf("remote_install_meta[%d].user_name: ", i))
	}
	require.NotContains(t, a.body, "S3CR3T")
	r.nothingStored()
}

func TestErrorMessageIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := entries(100)
	for _, h := range list {
		for i := range 200 {
			h[fmt.Sprintf("unknown_field_number_%d", i)] = 1
		}
	}
	a := r.send(http.MethodPost, create, remoteInstall(list...))
	a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, " more")
	require.Less(t, len(a.body), 80<<10)
}

// TestBTargetPolicy: well-formed addresses that the daemon may not dial.
func TestBTargetPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t, denyLoopback)
	denied := []string{"0.0.0.0", "127.0.0.1", "127.1.2.3", "169.254.169.254", "224.0.0.1", "255.255.255.255"}
	own, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range own {
		if addr := netip.MustParsePrefix(a.String()).Addr(); addr.Is4() {
			denied = append(denied, addr.String())
		}
	}
	for _, ip := range denied {
		res := r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": ip}))).created(t).Invocations[0]
		require.Equal(t, api.RetError, res.RetStatus, ip)
		require.Equal(t, api.ItemPolicyDenied, res.ErrorCode)
		require.Contains(t, res.ErrorMsg, "policy-denied: "+ip)
	}
	r.nothingStored()
	allowed, err := policy.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	require.NoError(t, err)
	r = newRig(t, func(c *api.Config) { c.Policy = allowed.Check })
	require.Equal(t, api.RetSuccessful, r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": "127.0.0.1"}))).created(t).Invocations[0].RetStatus)
}

func TestBPEM(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(ed)
	require.NoError(t, err)
	good := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	pub, err := x509.MarshalPKIXPublicKey(ed.Public())
	require.NoError(t, err)
	locked, err := os.ReadFile("../privkey/testdata/pkcs1-aes128.pem")
	require.NoError(t, err)

	send := func(text string) answer {
		return r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"password": text, "remote_use_pem": true})))
	}
	for name, tc := range map[string]struct{ text, todo string }{
		"garbage":         {"hunter2", "this is not a private key: it begins with a line like -----BEGIN OPENSSH PRIVATE KEY-----"},
		"public key":      {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})), "this is a public key: give the private one"},
		"public key line": {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUCvIcEbx5rLTKVmJRl0cvo7ZLKTi4dC0l0pbHEbG0g ops@jump", "this is a public key: give the private one"},
		"two blocks":      {good + good, "more than one PEM block: give the private key alone"},
		"encrypted":       {string(locked), "the private key is encrypted: give its passphrase, or a key without one"},
		"small RSA":       {rsaKey(t, 768), "the RSA key has 768 bits: 1024 to 8192 are accepted, 3072 is a good size"},
		"large RSA":       {rsaKey(t, 8200), "the RSA key has 8200 bits: 1024 to 8192 are accepted, 3072 is a good size"},
		"DSA":             {dsaKey(t), "this is a DSA key, which SSH servers no longer accept: use RSA, ECDSA or Ed25519"},
		"cut short":       {good[:len(good)/2], "damaged or cut short: give all of its file"},
		"empty block":     {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "damaged"},
	} {
		a := send(tc.text)
		a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "remote_install_meta[0].password: ", tc.todo)
		require.NotContains(t, a.body, "hunter2", name)
	}
	r.nothingStored()
	for _, text := range []string{good, strings.ReplaceAll(good, "\n", "\r\n")} {
		res := send(text).created(t).Invocations[0]
		creds, err := r.kept(res.InstanceID)
		require.NoError(t, err)
		require.Equal(t, text, creds.PrivateKey.Reveal())
		require.Equal(t, installer.Secret{}, creds.Password)
	}
}

// dsaKey has the form of one as OpenSSL writes it.
func dsaKey(t *testing.T) string {
	t.Helper()
	p := new(big.Int).SetBit(big.NewInt(1), 1023, 1)
	q := new(big.Int).SetBit(big.NewInt(1), 159, 1)
	der, err := asn1.Marshal(struct {
		Version       int
		P, Q, G, Y, X *big.Int
	}{0, p, q, big.NewInt(2), big.NewInt(4), big.NewInt(2)})
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "DSA PRIVATE KEY", Bytes: der}))
}

// rsaKey has the form of a PKCS#1 key with a modulus of so many bits.
func rsaKey(t *testing.T, bits uint) string {
	t.Helper()
	n := new(big.Int).SetBit(big.NewInt(1), int(bits-1), 1)
	one := big.NewInt(3)
	der, err := asn1.Marshal(struct {
		Version                     int
		N, E, D, P, Q, DP, DQ, QInv *big.Int
	}{0, n, big.NewInt(65537), one, one, one, one, one, one})
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}))
}

// TestBUnknownFields: newer clients may send more at the top; inside a host a
// misspelt field could be a password that is not used.
func TestBUnknownFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"pass_word": "x"}))).
		refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "remote_install_meta[0].pass_word: ")
	r.nothingStored()
	body := asJSON(map[string]any{"invocation_type": "REMOTE_INSTALL", "a_later_field": map[string]any{"x": []any{nil}}, "remote_install_meta": []any{host(nil)}})
	require.Equal(t, api.RetSuccessful, r.send(http.MethodPost, create, body).created(t).Invocations[0].RetStatus)
	for _, kind := range []string{"INSTALL", "RETRY"} {
		r.send(http.MethodPost, create, asJSON(map[string]any{"invocation_type": kind, "instance_ids": []string{"a"}, "invocation_ids": []string{"a"}, "a_later_field": 1})).created(t)
	}
}

// TestBStatusJSON: the same for agent-status.
func TestBStatusJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const head = `{"instance_ids":["a"],`
	for _, tc := range []struct{ name, body, where string }{
		{"duplicate key", head + `"instance_ids":["b"]}`, "instance_ids"},
		{"other case", head + `"UniAgent_status":"none"}`, "UniAgent_status"},
		{"data after the document", `{"instance_ids":["a"]}{}`, "document"},
		{"byte order mark", "\xef\xbb\xbf" + `{"instance_ids":["a"]}`, "document"},
		{"NUL escape", `{"instance_ids":["a\u0000"]}`, "instance_ids[0]"},
		{"bad UTF-8", "{\"instance_ids\":[\"\xff\"]}", "instance_ids[0]"},
		{"lone surrogate", `{"instance_ids":["\ud800"]}`, "instance_ids[0]"},
		{"1e400", head + `"x":1e400}`, "x"},
		{"array at the top", `["a"]`, "document"},
		{"null", `null`, "document"},
		{"no ids", `{"uniagent_status":"none"}`, "instance_ids"},
		{"null ids", `{"instance_ids":null}`, "instance_ids"},
		{"null id", `{"instance_ids":["a",null]}`, "instance_ids[1]"},
		{"string for ids", `{"instance_ids":"a"}`, "instance_ids"},
		{"id", `{"instance_ids":["../a"]}`, "instance_ids[0]"},
		{"long id", `{"instance_ids":["` + strings.Repeat("a", 65) + `"]}`, "instance_ids[0]"},
		{"unknown uniagent_status", head + `"uniagent_status":"stopped"}`, "uniagent_status"},
		{"null uniagent_status", head + `"uniagent_status":null}`, "uniagent_status"},
		{"unknown extension_name", head + `"extension_name":"other"}`, "extension_name"},
		{"unknown extension_status", head + `"extension_status":"silent"}`, "extension_status"},
		{"number for an enum", head + `"extension_status":1}`, "extension_status"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.send(http.MethodPost, statuses, tc.body).refused(t, http.StatusBadRequest, api.CodeBodyInvalid, tc.where+": ")
		})
	}
	a := r.send(http.MethodPost, statuses, `{"instance_ids":["/"],"uniagent_status":"a","extension_name":"b","extension_status":"c"}`)
	a.refused(t, http.StatusBadRequest, api.CodeBodyInvalid, "instance_ids[0]: ", "uniagent_status: ", "extension_name: ", "extension_status: ")
	r.send(http.MethodPost, statuses, "").refused(t, http.StatusBadRequest, api.CodeContentMissing)
	require.Equal(t, http.StatusOK, r.send(http.MethodPost, statuses, head+`"a_later_field":1}`).status, "unknown fields are tolerated at the top")
}

func FuzzDecodeStatus(f *testing.F) {
	for _, s := range []string{"", "{}", `{"instance_ids":["a","a"]}`, `{"instance_ids":[1],"uniagent_status":"silent"}`, `{"instance_ids":["a"],"extension_status":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := api.DecodeStatus(body); err != nil {
			require.IsType(t, installer.Faults{}, err)
			require.NotEmpty(t, err.Error())
		}
	})
}

func FuzzDecodeCreate(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", "[]", remoteInstall(host(nil)), remoteInstall(host(nil), host(nil)),
		`{"invocation_type":"SET_REMOTE_INSTALL_HOST","instance_ids":["a"]}`,
		`{"invocation_type":"RETRY","invocation_ids":["a",1,null]}`,
		`{"invocation_type":"REMOTE_INSTALL","remote_install_meta":[{"port":1e400}]}`,
		`{"a":"\ud800","A":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := api.DecodeCreate(body); err != nil {
			require.IsType(t, installer.Faults{}, err)
			require.NotEmpty(t, err.Error())
		}
	})
}
