package signing_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/signing"
)

const (
	accessKey = "TPDAKEYOFTHETESTS234"
	secretKey = "notasecret-Abc_0123456789"
	dated     = "20261124T193000Z"
)

var (
	secret = installer.NewSecret(secretKey)
	at     = time.Date(2026, 11, 24, 19, 30, 0, 0, time.UTC)
)

// request is one as a server receives it; header is names and values in turn.
func request(t testing.TB, method, target string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8440/", nil)
	u, err := url.ParseRequestURI(target)
	require.NoError(t, err)
	r.URL = u
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func authorization(names, signature string) string {
	return signing.Algorithm + " Access=" + accessKey + ", SignedHeaders=" + names + ", Signature=" + signature
}

// known are requests with the signature that another program made: the first
// four the official Go SDK (huaweicloud-sdk-go-v3 v0.1.207, core/auth/signer),
// the last a few lines of Python after the published description, with every
// header signed as the Terraform provider does.
var known = map[string]struct {
	method, target, host, names, signature, body string
	header                                       []string
}{
	"list with a query": {
		method: "GET", target: "/v3/p-one/agent-invocations?instance_id=a%20b%2A~%2F%2B%3D&limit=100&offset=0",
		names: "user-agent;x-project-id;x-sdk-date", signature: "6717be4c3244a694cb17b989bfc4e5303867fdc79ae45ed95acedebce15c2c2f",
		header: []string{"Content-Type", "application/json", "User-Agent", "huaweicloud-usdk-go/3.0", "X-Project-Id", "p-one"},
	},
	"the query in another order and spelling": {
		method: "GET", target: "/v3/p-one/agent-invocations?offset=0&limit=100&instance_id=a+b*%7E/%2B%3d",
		names: "user-agent;x-project-id;x-sdk-date", signature: "6717be4c3244a694cb17b989bfc4e5303867fdc79ae45ed95acedebce15c2c2f",
		header: []string{"User-Agent", "huaweicloud-usdk-go/3.0", "X-Project-Id", "p-one"},
	},
	"create": {
		method: "POST", target: "/v3/p-one/agent-invocations/batch-create",
		names: "user-agent;x-project-id;x-sdk-date", signature: "c5b948c18bbbc4b312204d6ca2b475f11054ab81aee3b41fb4ab79b6dc8beff9",
		header: []string{"Content-Type", "application/json;charset=UTF-8", "User-Agent", "huaweicloud-usdk-go/3.0", "X-Project-Id", "p-one"},
		body:   "{\"invocation_type\":\"INSTALL\",\"instance_ids\":[\"h-1\"]}\n",
	},
	"host, spaces, and a slash that is there": {
		method: "POST", target: "/v3/p-one/agent-status/batch-query/", host: "ces.example.com",
		names: "host;x-language;x-sdk-date", signature: "5356f3f5fc65968c51a41613b48b82ca3c4b08113f6f025720f5a4dd0562b143",
		header: []string{"X-Language", "  en-us "},
	},
	"escapes and an empty header": {
		method: "GET", target: "/v3/p~1/a%20b/%C3%BC%252F?%C3%A9=%26%3B%3D",
		names: "x-a;x-sdk-date", signature: "bf8ea22df07f2be7b4192907d2c9216f6893c462a62aeed77ea1a5accbce157e",
		header: []string{"X-A", ""},
	},
	"every header signed": {
		method: "POST", target: "/v3/p-one/agent-invocations/batch-create",
		names: "content-type;host;x-sdk-date", signature: "b91a3b8230d24ff3869be58ecba91e7aeb244c8a4d567870deac9a96abb7c01d",
		header: []string{"Content-Type", "application/json"}, body: `{"a":1}`,
	},
}

func TestKnownSignatures(t *testing.T) {
	t.Parallel()
	for name, k := range known {
		t.Run(name, func(t *testing.T) {
			r := request(t, k.method, k.target, append(k.header, "X-Sdk-Date", dated, "Authorization", authorization(k.names, k.signature))...)
			if k.host != "" {
				r.Host = k.host
			}
			claim, err := signing.Parse(r)
			require.NoError(t, err)
			assert.Equal(t, accessKey, claim.AccessKey)
			assert.Equal(t, at, claim.Date)
			assert.Equal(t, k.signature, hex.EncodeToString(claim.Signature[:]))
			assert.True(t, claim.Verify(r, secret, signing.Hash([]byte(k.body))))

			assert.False(t, claim.Verify(r, secret, signing.Hash([]byte(k.body+" "))), "another body")
			assert.False(t, claim.Verify(r, installer.NewSecret(secretKey+"x"), signing.Hash([]byte(k.body))), "another key")
			other := r.Clone(t.Context())
			other.Method = "PUT"
			assert.False(t, claim.Verify(other, secret, signing.Hash([]byte(k.body))), "another method")
		})
	}
}

// TestWhatASignatureCovers: each part of a request, changed alone.
func TestWhatASignatureCovers(t *testing.T) {
	t.Parallel()
	signed := func() *http.Request {
		r := request(t, "POST", "/v3/p/x?b=2&a=1", "X-Project-Id", "p", "X-Two", "1", "X-Two", "2")
		require.NoError(t, signing.Sign(r, accessKey, secret, signing.Hash([]byte("body")), at))
		return r
	}
	check := func(r *http.Request) bool {
		claim, err := signing.Parse(r)
		return err == nil && claim.Verify(r, secret, signing.Hash([]byte("body")))
	}
	require.True(t, check(signed()))
	harmless := signed()
	harmless.Header.Set("X-Added-By-A-Proxy", "1")
	require.True(t, check(harmless), "what SignedHeaders does not name may change")
	for name, change := range map[string]func(*http.Request){
		"method":       func(r *http.Request) { r.Method = "GET" },
		"path":         func(r *http.Request) { r.URL.Path += "y" },
		"path's case":  func(r *http.Request) { r.URL.Path = "/v3/P/x" },
		"query":        func(r *http.Request) { r.URL.RawQuery += "&c=3" },
		"query's end":  func(r *http.Request) { r.URL.RawQuery = "b=2" },
		"host":         func(r *http.Request) { r.Host = "127.0.0.1:8441" },
		"header":       func(r *http.Request) { r.Header.Set("X-Project-Id", "q") },
		"one of two":   func(r *http.Request) { r.Header["X-Two"] = []string{"1"} },
		"header gone":  func(r *http.Request) { r.Header.Del("X-Project-Id") },
		"date":         func(r *http.Request) { r.Header.Set("X-Sdk-Date", "20261124T193001Z") },
		"content hash": func(r *http.Request) { r.Header.Set("X-Sdk-Content-Sha256", strings.Repeat("0", 64)) },
		"signature":    func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")[:20]) },
	} {
		r := signed()
		change(r)
		assert.False(t, check(r), name)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	signature := strings.Repeat("a", 64)
	good := func() *http.Request {
		return request(t, "GET", "/", "X-Sdk-Date", dated, "Authorization", authorization("host;x-sdk-date", signature))
	}
	_, err := signing.Parse(good())
	require.NoError(t, err)
	for _, authorization := range []string{
		"", "Basic eA==", "SDK-HMAC-SM3 Access=a, SignedHeaders=x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256", "SDK-HMAC-SHA256 ", "SDK-HMAC-SHA256 Access=a",
		"SDK-HMAC-SHA256 Access=, SignedHeaders=x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a b, SignedHeaders=x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=" + strings.Repeat("a", 129) + ", SignedHeaders=x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=X-Sdk-Date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date;x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date;, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=" + strings.Repeat("x;", 1<<14) + "x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=" + signature[:62],
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=" + strings.Repeat("g", 64),
		"SDK-HMAC-SHA256 Access=a, Access=a, SignedHeaders=x-sdk-date, Signature=" + signature,
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=" + signature + ", More=1",
	} {
		r := good()
		r.Header.Set("Authorization", authorization)
		_, err := signing.Parse(r)
		assert.Error(t, err, authorization)
	}
	for name, change := range map[string]func(http.Header){
		"no Authorization":           func(h http.Header) { h.Del("Authorization") },
		"two of them":                func(h http.Header) { h.Add("Authorization", h.Get("Authorization")) },
		"no date":                    func(h http.Header) { h.Del("X-Sdk-Date") },
		"two dates":                  func(h http.Header) { h.Add("X-Sdk-Date", dated) },
		"a date of another form":     func(h http.Header) { h.Set("X-Sdk-Date", "2026-11-24T19:30") },
		"a date that is none":        func(h http.Header) { h.Set("X-Sdk-Date", "20261324T193000Z") },
		"a body that is not covered": func(h http.Header) { h.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD") },
		"two content hashes": func(h http.Header) {
			h["X-Sdk-Content-Sha256"] = []string{strings.Repeat("0", 64), strings.Repeat("1", 64)}
		},
		"no content hash in its header": func(h http.Header) { h["X-Sdk-Content-Sha256"] = nil },
	} {
		r := good()
		change(r.Header)
		_, err := signing.Parse(r)
		assert.Error(t, err, name)
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	claim := signing.Claim{Date: at}
	for skew, fresh := range map[time.Duration]bool{
		0: true, 15*time.Minute - time.Second: true, -15*time.Minute + time.Second: true,
		15 * time.Minute: false, -15 * time.Minute: false, 24 * time.Hour: false, -24 * time.Hour: false,
	} {
		assert.Equal(t, fresh, claim.Fresh(at.Add(skew)), skew)
		if fresh {
			assert.True(t, claim.Expires().After(at.Add(skew)), "it would be forgotten while it is accepted")
		}
	}
}

// FuzzVerify: no request makes it panic, a request that Sign has signed
// verifies, and none verifies with another key or another body.
func FuzzVerify(f *testing.F) {
	for _, k := range known {
		f.Add(k.method, k.target, authorization(k.names, k.signature), dated, "User-Agent", "huaweicloud-usdk-go/3.0", k.body)
	}
	f.Add("GET", "/%", "SDK-HMAC-SHA256 =,=", "", "X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD", "")
	f.Add("GET", "/?%zz=%&&=", "SDK-HMAC-SHA256 Access=a,SignedHeaders=x-sdk-date;host,Signature="+strings.Repeat("0", 64), dated, "Host", "x", "\x00")
	f.Fuzz(func(t *testing.T, method, target, authorization, date, name, value, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: "127.0.0.1:8440", Header: http.Header{}}
		r.Header.Set(name, value)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Sdk-Date", date)
		signing.Signs(r)
		hash := signing.Hash([]byte(body))
		if claim, err := signing.Parse(r); err == nil {
			claim.Verify(r, secret, hash)
			require.False(t, claim.Verify(r, installer.NewSecret("a key that signed nothing"), hash))
		}
		if strings.ContainsAny(name+value, "\r\n\x00 ;,") || name == "" || signing.Sign(r, accessKey, secret, hash, at) != nil {
			return
		}
		claim, err := signing.Parse(r)
		if err != nil {
			return // a header's name that no server lets through
		}
		require.True(t, claim.Verify(r, secret, hash))
		require.False(t, claim.Verify(r, secret, signing.Hash([]byte(body+"x"))))
		require.False(t, claim.Verify(r, installer.NewSecret(secretKey+"x"), hash))
	})
}
