package main

import (
	"os"
	"os/user"
	"strconv"

	"tripod/installer"
)

// actor is how the audit log names who has called this program.
func actor(getenv func(string) string) string {
	return installer.Principal{Kind: installer.UserPrincipal, Name: callerName(getenv)}.String()
}

// callerName goes by the user id of the process, which nobody can choose; with sudo's
// word for who it was.
func callerName(getenv func(string) string) string {
	name := userName(os.Getuid())
	if by := getenv("SUDO_USER"); by != "" && by != name {
		name += " (sudo " + by + ")"
	}
	return name
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
