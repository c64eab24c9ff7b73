package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
)

// serverFlags name a daemon to work on in place of this machine's state folder.
type serverFlags struct {
	Server         string        `placeholder:"URL" help:"Work on a daemon (http(s)://HOST:PORT) in place of the state folder. The project is the login's."`
	TokenFile      string        `type:"path" placeholder:"FILE" help:"Token for --server: the first line of FILE."`
	AccessKey      string        `placeholder:"KEY" help:"Access key for --server, in place of a token."`
	SecretKeyFile  string        `type:"path" placeholder:"FILE" help:"Its secret key: the first line of FILE."`
	CAFile         string        `name:"ca-file" type:"path" placeholder:"FILE" help:"Certificates (PEM) to trust for --server besides the system's."`
	ServerWait     time.Duration `default:"5m" placeholder:"D" help:"How long a --server that has begun to work and does not answer is waited for."`
	AllowPlainHTTP bool          `name:"allow-plain-http" help:"Speak plain HTTP to a --server that is not on this machine: passwords cross the network readable."`
}

// connect finds the daemon of --server and who it takes us for.
func (a *app) connect(ctx context.Context, f serverFlags, command string) error {
	a.server = f
	if f.Server == "" {
		return nil
	}
	switch command {
	case "serve":
		return usageError(errors.New("serve is the daemon: it does not go with --server"), "leave --server (TRIPOD_SERVER) out")
	case "version":
		a.notef("note: this is the version of this program, not the daemon's")
		return nil
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	daemon, err := control.Connect(ctx, client)
	if err != nil {
		return connectError(f.Server, err)
	}
	daemon.Patience(f.ServerWait)
	a.daemon = daemon
	return nil
}

// client checks the flags and makes the client.
func (f serverFlags) client() (*api.Client, error) {
	var faults installer.Faults
	at, err := url.Parse(f.Server)
	switch {
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "":
		faults.Add("--server", "want http://HOST:PORT or https://HOST:PORT")
	case at.User != nil || at.RawQuery != "" || at.ForceQuery || at.Fragment != "" || strings.Trim(at.Path, "/") != "":
		faults.Add("--server", "want an address alone, http(s)://HOST:PORT: no user, no password, no path, no query")
	case at.Scheme == "http" && !f.AllowPlainHTTP && !isLoopback(at.Hostname()):
		faults.Add("--server", "plain HTTP to another machine: passwords and keys would cross the network readable; use https:// (or --allow-plain-http)")
	}
	if f.ServerWait < 0 {
		faults.Add("--server-wait", "must not be negative")
	}
	roots, err := f.roots()
	if err != nil {
		faults.Add("--ca-file", "%v", err)
	}
	client := &api.Client{BaseURL: f.Server, HTTP: &http.Client{Transport: transport(roots)}}
	f.login(client, &faults)
	return client, faults.Err()
}

// login reads what proves who we are.
func (f serverFlags) login(client *api.Client, faults *installer.Faults) {
	var err error
	switch {
	case f.TokenFile != "" && f.AccessKey != "":
		faults.Add("--token-file", "not together with --access-key")
	case f.TokenFile != "":
		if client.Token, err = readFirstLine(f.TokenFile); err != nil {
			faults.Add("--token-file", "%v", err)
		}
	case f.AccessKey != "" && f.SecretKeyFile != "":
		client.AccessKey = f.AccessKey
		if client.SecretKey, err = readFirstLine(f.SecretKeyFile); err != nil {
			faults.Add("--secret-key-file", "%v", err)
		}
	case f.AccessKey != "":
		faults.Add("--access-key", "needs --secret-key-file FILE")
	default:
		faults.Add("--server", "needs a login: --token-file FILE, or --access-key and --secret-key-file (see `tripod tokens`, `tripod keys`)")
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// roots are the system's certificates and those of --ca-file. Nil: the system's.
func (f serverFlags) roots() (*x509.CertPool, error) {
	if f.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(f.CAFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", f.CAFile)
	}
	return roots, nil
}

func transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		IdleConnTimeout:       30 * time.Second,
	}
}

// connectError says what to do about a daemon that does not let us in.
func connectError(server string, err error) error {
	if e, answered := errors.AsType[*api.Error](err); answered {
		switch e.Status {
		case http.StatusUnauthorized:
			return usageError(fmt.Errorf("%s: %w", server, err), "the daemon does not know this login: is it the right file, and the right daemon?")
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return usageError(fmt.Errorf("%s: %w", server, err), "is it tripod, and new enough?")
		}
		return err
	}
	hint := "is the daemon running there, and its address right?"
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		hint = "give the certificate of its authority with --ca-file"
	}
	return &exitError{code: exitInternal, err: err, hint: hint}
}

// flags are those to reach the same daemon again, ready to be copied.
func (f serverFlags) flags() string {
	s := " --server " + shellQuote(f.Server)
	if f.AccessKey != "" {
		s += " --access-key " + shellQuote(f.AccessKey) + " --secret-key-file " + shellQuote(f.SecretKeyFile)
	}
	if f.TokenFile != "" {
		s += " --token-file " + shellQuote(f.TokenFile)
	}
	if f.CAFile != "" {
		s += " --ca-file " + shellQuote(f.CAFile)
	}
	if f.AllowPlainHTTP {
		s += " --allow-plain-http"
	}
	return s
}
