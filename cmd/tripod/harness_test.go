package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest"
	"tripod/installer/sshtest/netsim"
	"tripod/testdata/agent"
)

// patience bounds what scripts wait for; only a failing test takes so long.
const patience = 5 * time.Minute

type hostsKey struct{}

// hosts are a script's SSH servers by name.
type hosts map[string]*sshtest.Server

func hostOf(ts *testscript.TestScript, name string) *sshtest.Server {
	h := ts.Value(hostsKey{}).(hosts)[name]
	if h == nil {
		ts.Fatalf("no host %q", name)
	}
	return h
}

// cmdSSHHost starts a host: sshhost NAME [option=value…]. It sets NAME_PORT,
// NAME_ADDR, NAME_KEY (its host key) and NAME_ROOT (the folder that stands for
// its root).
func cmdSSHHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sshhost NAME [option=value…]")
	}
	name := args[0]
	user := sshtest.User{Name: "root"}
	cfg := sshtest.Config{Root: ts.MkAbs(filepath.Join("hosts", name))}
	for _, arg := range args[1:] {
		option, value, _ := strings.Cut(arg, "=")
		switch option {
		case "user":
			user.Name = value
		case "password":
			user.Password = value
		case "keyboard":
			user.KeyboardInteractive = value
		case "authorized":
			user.AuthorizedKeys = append(user.AuthorizedKeys, ts.ReadFile(value))
		case "refused":
			user.Refused = true
		case "expired":
			user.Expired = sshtest.Expired(value)
		case "sudo":
			user.Sudo.Mode = sshtest.SudoMode(value)
		case "sudopassword":
			user.Sudo.Password = value
		case "doas":
			user.Doas = sshtest.DoasMode(value)
		case "rootpassword": // for su
			cfg.RootPassword = value
		case "sftp":
			cfg.SFTP = sshtest.SFTP(value)
		case "listen":
			cfg.Listen = value
		case "env":
			cfg.Env = append(cfg.Env, value)
		case "reaches": // NAME of a host, at the addresses closed.example:22 and 127.0.0.77:22
			at := hostOf(ts, value).Addr()
			cfg.Forwarding.Names = map[string]string{"closed.example:22": at, "127.0.0.77:22": at}
		case "forwarding": // denied
			cfg.Forwarding.Denied = value == "denied"
		case "fault":
			cfg.Faults = append(cfg.Faults, parseFault(ts, value))
		default:
			ts.Fatalf("sshhost: unknown option %q", option)
		}
	}
	if user.Password == "" && user.KeyboardInteractive == "" && user.AuthorizedKeys == nil {
		user.Password = sshtest.DefaultPassword
	}
	cfg.Users = []sshtest.User{user}
	s, err := sshtest.New(cfg)
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Value(hostsKey{}).(hosts)[name] = s
	_, port, err := net.SplitHostPort(s.Addr())
	ts.Check(err)
	ts.Setenv(name+"_ADDR", s.Addr())
	ts.Setenv(name+"_PORT", port)
	ts.Setenv(name+"_KEY", strings.TrimSpace(s.HostKey()))
	ts.Setenv(name+"_ROOT", cfg.Root)
}

// parseFault reads STAGE:ACTION[:MATCH].
func parseFault(ts *testscript.TestScript, s string) sshtest.Fault {
	stage, rest, ok := strings.Cut(s, ":")
	action, match, _ := strings.Cut(rest, ":")
	if !ok {
		ts.Fatalf("fault %q: want STAGE:ACTION[:MATCH]", s)
	}
	return sshtest.Fault{Stage: sshtest.Stage(stage), Action: sshtest.Action(action), Match: match}
}

// cmdSSHFault changes a host: sshfault NAME clear | drop | stop | resume | STAGE:ACTION[:MATCH]…
func cmdSSHFault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sshfault NAME clear|drop|stop|resume|STAGE:ACTION…")
	}
	s := hostOf(ts, args[0])
	for _, arg := range args[1:] {
		switch arg {
		case "clear":
			s.ClearFaults()
		case "drop":
			s.DropAll()
		case "stop":
			s.Stop()
		case "resume":
			ts.Check(s.Resume())
		default:
			s.Inject(parseFault(ts, arg))
		}
	}
}

func countOf(ts *testscript.TestScript, c sshtest.Counts, field string) int {
	switch field {
	case "connections":
		return c.Connections
	case "open":
		return c.Open
	case "logins":
		return c.Handshakes
	case "passwords":
		return len(c.Passwords)
	case "execs":
		return len(c.Execs)
	case "sftp":
		return c.SFTPs
	case "forwards":
		return len(c.Forwards)
	}
	ts.Fatalf("unknown count %q", field)
	return 0
}

// cmdSSHCount checks what a host has seen: sshcount NAME FIELD N, or
// sshcount NAME received PASSWORD.
func cmdSSHCount(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: sshcount NAME FIELD N")
	}
	c := hostOf(ts, args[0]).Counts()
	if args[1] == "received" {
		if slices.Contains(c.Passwords, args[2]) == neg {
			ts.Fatalf("%s has received %d passwords; %q among them: %t", args[0], len(c.Passwords), args[2], neg)
		}
		return
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	if got := countOf(ts, c, args[1]); (got == want) == neg {
		ts.Fatalf("%s %s: got %d, want %d", args[0], args[1], got, want)
	}
}

// cmdWaitCount waits until a count is at least N: waitcount NAME FIELD N.
func cmdWaitCount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: waitcount NAME FIELD N")
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ts.Check(hostOf(ts, args[0]).Wait(ctx, func(c sshtest.Counts) bool { return countOf(ts, c, args[1]) >= want }))
}

// cmdWaitFor waits until a file is there, or holds a text: waitfor FILE [TEXT].
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfor FILE [TEXT]")
	}
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(path)
		if err == nil && (len(args) == 1 || strings.Contains(string(raw), args[1])) {
			return
		}
	}
	ts.Fatalf("waited in vain for %s", args)
}

// cmdAgent builds the stand-in agent's package: agent FILE VERSION [layout=L] [arch=A] [habit=H].
func cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: agent FILE VERSION [layout=L] [arch=A] [habit=H]")
	}
	o := agent.Options{Name: args[0], Version: args[1]}
	for _, arg := range args[2:] {
		option, value, _ := strings.Cut(arg, "=")
		switch option {
		case "layout":
			o.Layout = value
		case "arch":
			o.Arch = value
		case "habit":
			o.Habit = value
		default:
			ts.Fatalf("agent: unknown option %q", option)
		}
	}
	_, err := agent.BuildIn(ts.MkAbs("."), o)
	ts.Check(err)
}

// cmdDeadPort sets NAME_PORT to a port on which nothing listens, but what the script
// has listen there.
func cmdDeadPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: deadport NAME")
	}
	port, release, err := netsim.UnusedPort()
	ts.Check(err)
	ts.Defer(release)
	ts.Setenv(args[0]+"_PORT", strconv.Itoa(int(port)))
}

// cmdFiles serves a folder over HTTP: files NAME DIR. It sets NAME_URL.
func cmdFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: files NAME DIR")
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[1]))))
	ts.Defer(srv.Close)
	ts.Setenv(args[0]+"_URL", srv.URL)
}

// cmdKeygen writes a key and FILE.pub: keygen FILE [PASSPHRASE].
func cmdKeygen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: keygen FILE [PASSPHRASE]")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	var block *pem.Block
	if len(args) == 2 {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(crypto.PrivateKey(private), "", []byte(args[1]))
	} else {
		block, err = ssh.MarshalPrivateKey(crypto.PrivateKey(private), "")
	}
	ts.Check(err)
	authorized, err := ssh.NewPublicKey(public)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(block), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), ssh.MarshalAuthorizedKey(authorized), 0o600))
}

// cmdSetenv sets a variable to the match of a pattern in a file: setenv NAME
// FILE PATTERN, where FILE can be stdout or stderr of the last exec.
func cmdSetenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv NAME FILE PATTERN")
	}
	found := mustCompile(ts, args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if found == nil {
		ts.Fatalf("no match of %s in %s:\n%s", args[2], args[1], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], found[len(found)-1])
}
