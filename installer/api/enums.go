package api

import (
	"slices"

	"tripod/installer"
)

// The words of the API's enums, in the order of its documentation.
var (
	types          = []installer.Type{installer.Install, installer.Update, installer.Rollback, installer.Retry, installer.SetRemoteInstaller, installer.RemoteInstall}
	targets        = []string{installer.TargetTelescope}
	editions       = []installer.Edition{installer.Basic, installer.Advance}
	origins        = []string{"CES", "APICOM_BMS", "ADMIN_SERVER"}
	instanceTypes  = []installer.InstanceType{installer.ECS, installer.BMS}
	states         = []installer.State{installer.Pending, installer.Running, installer.Timeout, installer.Failed, installer.Succeeded, installer.Canceled, installer.Rollbacked}
	uniagentStates = []UniagentState{UniagentNone, UniagentRunning, UniagentSilent, UniagentUnknown}
	agentStates    = []installer.AgentState{installer.AgentNone, installer.AgentRunning, installer.AgentStopped, installer.AgentFault, installer.AgentUnknown}
)

// aliasSetRemoteInstaller is how some published pages of the API spell
// SET_REMOTE_INSTALLER.
const aliasSetRemoteInstaller = "SET_REMOTE_INSTALL_HOST"

func invocationType(s string) (installer.Type, bool) {
	if s == aliasSetRemoteInstaller {
		return installer.SetRemoteInstaller, true
	}
	return installer.Type(s), slices.Contains(types, installer.Type(s))
}
