package flags

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/hostsfile"
)

type warning func(format string, args ...any)

// Agent is the configuration of the agents. Their keys come from the file or a prompt.
type Agent struct {
	AgentRegion    string `placeholder:"REGION" help:"Region to configure the agent for (default: that of --region)."`
	AgentEndpoint  string `placeholder:"URL" help:"Cloud Eye endpoint to configure the agent for."`
	AgentProjectID string `name:"agent-project-id" placeholder:"ID" help:"Project id to configure the agent for."`
	AgentBMS       *bool  `name:"agent-bms" negatable:"" help:"Configure the agent for a bare-metal server, or not (BmsFlag)."`
	AgentConfig    string `type:"path" placeholder:"FILE" help:"Configuration of the agent, a JSON file: region, endpoint, project_id, bms, access_key, secret_key."`
	AskAgentKeys   bool   `help:"Ask for the agent's access key and secret key."`

	RequireReporting bool `help:"Fail if the agent lacks credentials or ids and cannot report to Cloud Eye."`
}

// Read reads the file and asks for the keys. onlineRegion is the installer's.
func (f *Agent) Read(ctx context.Context, warn warning, onlineRegion string, faults *installer.Faults) (
	config *installer.AgentConfig, keys installer.AgentKeys, err error,
) {
	before := len(*faults)
	flags := &installer.AgentConfig{
		Region: f.AgentRegion, Endpoint: f.AgentEndpoint, ProjectID: f.AgentProjectID, BMS: f.AgentBMS,
	}
	*faults = append(*faults, flags.Validate(agentFlag)...)
	if f.AgentConfig != "" {
		config, keys = readAgentConfig("--agent-config", f.AgentConfig, warn, faults)
	}
	Refuse(faults, f.AskAgentKeys && !keys.IsZero(), "--ask-agent-keys", "the file of --agent-config has keys already")
	Refuse(faults, onlineRegion != "" && f.AgentRegion != "" && f.AgentRegion != onlineRegion, "--agent-region",
		"must be the same as --region: the official installer and the agent use one region")
	if config = flags.Or(config); config != nil && onlineRegion != "" {
		config = (&installer.AgentConfig{Region: onlineRegion}).Or(config)
	}
	switch {
	case len(*faults) > before:
		return nil, installer.AgentKeys{}, nil
	case !f.AskAgentKeys:
		return config, keys, nil
	}
	const ask = "--ask-agent-keys"
	if keys.AccessKey, err = askOrRead(ctx, ask, true, "Agent's access key", "--agent-config", ""); err == nil {
		keys.SecretKey, err = askOrRead(ctx, ask, true, "Agent's secret key", "--agent-config", "")
	}
	*faults = append(*faults, keys.Validate(installer.Within(ask))...)
	return config, keys, err
}

func agentFlag(field string) string { return "--agent-" + strings.ReplaceAll(field, "_", "-") }

func readAgentConfig(
	flag, file string, warn warning, faults *installer.Faults,
) (*installer.AgentConfig, installer.AgentKeys) {
	text, err := os.ReadFile(file)
	if err != nil {
		faults.Add(flag, "%v", err)
		return nil, installer.AgentKeys{}
	}
	config, keys, err := hostsfile.AgentConfig(file, text)
	if err := Collect(err, faults); err != nil {
		faults.Add(flag, "%v", err)
	}
	if !keys.IsZero() {
		warnIfReadable(warn, file)
	}
	return config, keys
}

// AgentDefaults are a daemon's default configurations of the agents of all projects, or of one. Keys
// belong to one project: anyone who may create tasks in it can read them on a host of their own.
type AgentDefaults struct {
	AgentConfig []string `sep:"none" placeholder:"[PROJECT=]FILE" help:"Default agent configuration of a project, or of all projects; can be repeated. A file with keys needs PROJECT."`
}

type agentDefault struct {
	config *installer.AgentConfig
	keys   installer.AgentKeys
}

// Read reads the files, and returns a function that returns the defaults of a project.
func (f AgentDefaults) Read(warn warning, faults *installer.Faults) func(project string) (
	*installer.AgentConfig, installer.AgentKeys,
) {
	const flag, all = "--agent-config", ""
	files := perProject(flag, all, f.AgentConfig, faults)
	read := map[string]agentDefault{}
	for _, project := range slices.Sorted(maps.Keys(files)) {
		config, keys := readAgentConfig(flag, files[project], warn, faults)
		Refuse(faults, project == all && !keys.IsZero(), flag+" "+files[project],
			"holds keys, which must belong to one project: use PROJECT=FILE")
		read[project] = agentDefault{config, keys}
	}
	return func(project string) (*installer.AgentConfig, installer.AgentKeys) {
		return read[project].config.Or(read[all].config), read[project].keys
	}
}
