package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func mustCompile(ts *testscript.TestScript, pattern string) *regexp.Regexp {
	re, err := regexp.Compile(`(?m)` + pattern)
	ts.Check(err)
	return re
}

// cmdRequest sends an HTTP request: request METHOD URL [TOKEN [BODYFILE]]. The
// status and the body go to the files response.status and response.body.
func cmdRequest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 4 {
		ts.Fatalf("usage: request METHOD URL [TOKEN [BODYFILE]]")
	}
	var token, body string
	if len(args) > 2 {
		token = args[2]
	}
	if len(args) == 4 {
		body = os.Expand(ts.ReadFile(args[3]), ts.Getenv)
	}
	sendRequest(ts, args[0], args[1], token, body)
}

func sendRequest(ts *testscript.TestScript, method, at, token, body string) string {
	req, err := http.NewRequest(method, at, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("response.status"), fmt.Appendln(nil, res.StatusCode), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("response.body"), raw, 0o600))
	return string(raw)
}

// cmdWaitResponse asks until the answer holds a text: waitresponse URL TOKEN TEXT.
func cmdWaitResponse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: waitresponse URL TOKEN TEXT")
	}
	answer := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if answer = sendRequest(ts, http.MethodGet, args[0], args[1], ""); strings.Contains(answer, args[2]) {
			return
		}
	}
	ts.Fatalf("waited in vain for %q; the last answer was\n%s", args[2], answer)
}

// normalizations make outputs of two runs equal: ids, times, durations, ports.
var normalizations = []struct{ pattern, with string }{
	{`\b01[0-9A-HJKMNP-TV-Z]{24}\b`, "ULID"},
	{`host-[0-9a-f]{32}`, "INSTANCE"},
	{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`, "TIME"},
	{`"(create_time|update_time)": \d+`, `"$1": 0`},
	{`"duration_ms": \d+`, `"duration_ms": 0`},
	{`"port": \d+`, `"port": 0`},
	{`127\.0\.0\.1([,:])\d{4,5}\b`, "127.0.0.1${1}PORT"},
	{`in \d+ ms`, "in 0 ms"},
	{`Linux \w+, works in \S+ \(.* free\)`, "Linux ARCH, works in ROOT (SPACE free)"},
	{`\d+\.\d{3}\b`, "SECONDS"},
	{`\b\d+\.\d+s\b`, "0.0s"},
}

// cmdNormalize rewrites files: normalize FILE…
func cmdNormalize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: normalize FILE…")
	}
	for _, file := range args {
		text := ts.ReadFile(file)
		for _, n := range normalizations {
			text = regexp.MustCompile(n.pattern).ReplaceAllString(text, n.with)
		}
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// cmdNoLeak looks for a secret in every file of the folders, in its usual
// disguises too: noleak SECRET FOLDER… Files named *.secret are where the
// script itself keeps it.
func cmdNoLeak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: noleak SECRET FOLDER…")
	}
	secret := args[0]
	forms := []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), url.QueryEscape(secret)}
	files := 0
	for _, folder := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".secret") {
				return err
			}
			raw, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			files++
			for _, form := range forms {
				if bytes.Contains(raw, []byte(form)) {
					ts.Fatalf("%s holds the secret (as %s)", path, form)
				}
			}
			return err
		}))
	}
	if files == 0 {
		ts.Fatalf("noleak looked at no file")
	}
}

// cmdValidXML reads a whole XML document: validxml FILE.
func cmdValidXML(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: validxml FILE")
	}
	dec := xml.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	for {
		_, err := dec.Token()
		if err == io.EOF {
			return
		}
		ts.Check(err)
	}
}

// cmdCertgen writes a self-signed certificate: certgen CERT KEY.
func cmdCertgen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: certgen CERT KEY")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	ts.Check(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}
