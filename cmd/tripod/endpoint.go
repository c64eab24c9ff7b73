package main

import (
	"errors"
	"strconv"
	"strings"

	"tripod/installer"
)

// parseEndpoint reads [user@]host[:port]; IPv6 addresses with a port stand in brackets.
func parseEndpoint(s string) (installer.Endpoint, error) {
	e := installer.Endpoint{User: "root", Port: installer.DefaultPort, Address: s}
	if user, rest, ok := strings.Cut(s, "@"); ok {
		e.User, e.Address = user, rest
	}
	var err error
	if e.Address, e.Port, err = splitPort(e.Address); err != nil {
		return e, err
	}
	if e.Address == "" || e.User == "" || strings.HasPrefix(e.User, "-") || strings.ContainsAny(e.Address, " \t/@") {
		return e, errors.New("want [user@]host[:port]")
	}
	return e, nil
}

// splitPort reads host[:port].
func splitPort(s string) (string, uint16, error) {
	host, port := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", 0, errors.New("the bracket is not closed")
		}
		host, port = s[1:end], strings.TrimPrefix(s[end+1:], ":")
		if len(s) > end+1 && s[end+1] != ':' {
			return "", 0, errors.New("want [address]:port")
		}
	case strings.Count(s, ":") == 1:
		host, port, _ = strings.Cut(s, ":")
	}
	if port == "" && !strings.HasSuffix(s, ":") {
		return host, installer.DefaultPort, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", 0, errors.New("the port must be 1–65535")
	}
	return host, uint16(n), nil
}
