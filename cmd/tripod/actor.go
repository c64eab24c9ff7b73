package main

import (
	"os"
	"os/user"
	"strconv"
)

// actor is how the audit log names who has called this program: by the user id
// of the process, which nobody can choose; with sudo's word for who it was.
func actor(getenv func(string) string) string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if by := getenv("SUDO_USER"); by != "" && by != name {
		name += " (sudo " + by + ")"
	}
	return "user " + name
}
