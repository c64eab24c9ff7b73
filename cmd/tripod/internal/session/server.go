package session

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

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
)

// ServerFlags name a daemon to work on in place of this machine's state folder.
type ServerFlags struct {
	Server         string        `placeholder:"URL" help:"Use the daemon at URL (http(s)://HOST:PORT) instead of the state folder. The project is that of the login."`
	TokenFile      string        `type:"path" placeholder:"FILE" help:"Token for --server: the first line of FILE."`
	AccessKey      string        `placeholder:"KEY" help:"Access key for --server, instead of a token."`
	SecretKeyFile  string        `type:"path" placeholder:"FILE" help:"Secret key of --access-key: the first line of FILE."`
	CAFile         string        `name:"ca-file" type:"path" placeholder:"FILE" help:"CA certificates (PEM) to trust for --server, in addition to the system's."`
	ServerWait     time.Duration `default:"5m" placeholder:"D" help:"How long to wait for a --server that stops answering while it works (default: ${default})."`
	AllowPlainHTTP bool          `name:"allow-plain-http" help:"Allow plain HTTP to a --server on another machine: passwords cross the network unencrypted."`
}

func (s *Session) connect(ctx context.Context, command string) error {
	f := s.Flags.ServerFlags
	if f.Server == "" {
		return nil
	}
	switch command {
	case "serve":
		return exit.UsageError(errors.New("serve is the daemon: --server cannot be given"), "leave --server (TRIPOD_SERVER) out")
	case "version":
		s.Notef("note: this is the version of this program, not of the daemon")
		return nil
	}
	client, err := f.client()
	if err != nil {
		return err
	}
	if s.daemon, err = control.Connect(ctx, client); err != nil {
		return connectError(f.Server, err)
	}
	s.daemon.Patience = f.ServerWait
	return nil
}

func (f ServerFlags) client() (*api.Client, error) {
	var faults installer.Faults
	at, err := url.Parse(f.Server)
	switch {
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "":
		faults.Add("--server", "must be http://HOST:PORT or https://HOST:PORT")
	case at.User != nil || at.RawQuery != "" || at.ForceQuery || at.Fragment != "" || strings.Trim(at.Path, "/") != "":
		faults.Add("--server", "must be only an address, http(s)://HOST:PORT: no user, no password, no path, no query")
	case at.Scheme == "http" && !f.AllowPlainHTTP && !isLoopback(at.Hostname()):
		faults.Add("--server", "plain HTTP to another machine would send passwords and keys unencrypted: use https:// (or --allow-plain-http)")
	}
	if f.ServerWait < 0 {
		faults.Add("--server-wait", "must not be negative")
	}
	roots, err := f.roots()
	if err != nil {
		faults.Add("--ca-file", "%v", err)
	}
	client := &api.Client{BaseURL: f.Server, AccessKey: f.AccessKey, HTTP: &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		IdleConnTimeout:       30 * time.Second,
	}}}
	secret := func(flag, file string, into *installer.Secret) {
		var err error
		if *into, err = term.FirstLine(file); err != nil {
			faults.Add(flag, "%v", err)
		}
	}
	switch {
	case f.TokenFile != "" && f.AccessKey != "":
		faults.Add("--token-file", "cannot be combined with --access-key")
	case f.TokenFile != "":
		secret("--token-file", f.TokenFile, &client.Token)
	case f.AccessKey != "" && f.SecretKeyFile != "":
		secret("--secret-key-file", f.SecretKeyFile, &client.SecretKey)
	case f.AccessKey != "":
		faults.Add("--access-key", "needs --secret-key-file FILE")
	default:
		faults.Add("--server", "needs a login: --token-file FILE, or --access-key and --secret-key-file (see `tripod tokens`, `tripod keys`)")
	}
	return client, faults.Err()
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func (f ServerFlags) roots() (*x509.CertPool, error) {
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

func connectError(server string, err error) error {
	if e, answered := errors.AsType[*api.Error](err); answered {
		switch e.Status {
		case http.StatusUnauthorized:
			return exit.UsageError(fmt.Errorf("%s: %w", server, err), "the daemon does not accept this login: check the file, and that it is the right daemon")
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return exit.UsageError(fmt.Errorf("%s: %w", server, err), "check that this is a tripod daemon, of this version or newer")
		}
		return err
	}
	hint := "check that the daemon is running and that its address is right"
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		hint = "give the certificate of its authority with --ca-file"
	}
	return &exit.Error{Code: exit.Internal, Err: err, Hint: hint}
}

// Command is a tripod command on the same state, ready to be copied.
func (s *Session) Command(command, args string) string {
	f, words := s.Flags, []string{"tripod", command}
	flag := func(name, value string) {
		if value != "" {
			words = append(words, name, ShellQuote(value))
		}
	}
	if s.daemon != nil {
		flag("--server", f.Server)
		flag("--access-key", f.AccessKey)
		if f.AccessKey != "" {
			flag("--secret-key-file", f.SecretKeyFile)
		}
		flag("--token-file", f.TokenFile)
		flag("--ca-file", f.CAFile)
		if f.AllowPlainHTTP {
			words = append(words, "--allow-plain-http")
		}
	} else {
		if f.StateDir != DefaultStateDir() {
			flag("--state-dir", f.StateDir)
		}
		if s.Project != installer.DefaultProject {
			flag("--project", s.Project)
		}
	}
	return strings.TrimSuffix(strings.Join(append(words, args), " "), " ")
}

// ShellQuote quotes s for sh where it needs it.
func ShellQuote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
