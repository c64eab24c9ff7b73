package api

import (
	"regexp"

	"tripod/installer"
)

var instanceID = regexp.MustCompile(`^[a-zA-Z0-9-]{1,64}$`)

// typeNames are the task types as the API spells them.
const typeNames = "INSTALL, UPDATE, ROLLBACK, RETRY, SET_REMOTE_INSTALLER, REMOTE_INSTALL"

// invocationType reads a task type. Some published pages of the API spell
// SET_REMOTE_INSTALLER as SET_REMOTE_INSTALL_HOST.
func invocationType(s string) (installer.Type, bool) {
	switch t := installer.Type(s); t {
	case installer.Install, installer.Update, installer.Rollback, installer.Retry, installer.SetRemoteInstaller, installer.RemoteInstall:
		return t, true
	case "SET_REMOTE_INSTALL_HOST":
		return installer.SetRemoteInstaller, true
	}
	return "", false
}
