package main

import (
	"cmp"
	"errors"
	"fmt"

	"tripod/installer"
)

// projectFlag says whose everything is that a command is about. Each command has
// it, and a.project is the only place where the others read it.
type projectFlag struct {
	Project string `placeholder:"P" help:"Project (tenant) that the command is about (default: \"default\"; of a daemon the login's). Without it the lists of tokens and keys and the audit log are of all."`
}

// useProject settles whose everything is. A daemon shows nobody more than the
// project of the login.
func (a *app) useProject(f projectFlag, command string) error {
	a.project, a.onlyProject = cmp.Or(f.Project, installer.DefaultProject), f.Project
	switch {
	case !installer.ProjectForm.MatchString(a.project):
		return usagef("--project: want 1–64 letters, digits, '-' or '_'")
	case command == "serve" && f.Project != "":
		return usageError(errors.New("serve serves every project: it does not go with --project"), "leave --project (TRIPOD_PROJECT) out; each token and key is for one project")
	case a.daemon == nil:
		return nil
	}
	a.project = a.daemon.Project()
	if f.Project != "" && f.Project != a.project {
		return usageError(fmt.Errorf("--project %s: the login for %s is for project %s", f.Project, a.server.Server, a.project),
			"use a token or key of that project, or leave --project (TRIPOD_PROJECT) out")
	}
	return nil
}
