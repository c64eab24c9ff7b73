package hostsfile

import (
	"tripod/installer"
	"tripod/installer/strictjson"
)

// AgentConfig reads a file with the configuration of the agents of many hosts. Its error is installer.Faults.
func AgentConfig(name string, text []byte) (*installer.AgentConfig, installer.AgentKeys, error) {
	var found installer.Faults
	var config *installer.AgentConfig
	var keys installer.AgentKeys
	if strictjson.Check(text, strictjson.Limits{Depth: maxDepth, Values: maxValues}, &found) {
		if fields, ok := strictjson.FieldsOf(text, "", &found); ok {
			if fields.Has("instance_id") {
				fields.Fault("instance_id", "belongs to one host: give it in a column or field of that host")
			}
			config, keys = agentSettings(fields)
		}
	}
	var faults installer.Faults
	for _, f := range found {
		faults.Add(name+" "+f.Where, "%s", f.What)
	}
	return config, keys, faults.Err()
}

// agentSettings reads what an object says of an agent, its keys too.
func agentSettings(f *strictjson.Fields) (*installer.AgentConfig, installer.AgentKeys) {
	var c installer.AgentConfig
	text := func(name string) string {
		text, _ := strictjson.Read[string](f, name)
		return text
	}
	c.Region, c.Endpoint = text("region"), text("endpoint")
	c.ProjectID, c.InstanceID = text("project_id"), text("instance_id")
	if bms, ok := strictjson.Read[bool](f, "bms"); ok {
		c.BMS = &bms
	}
	keys := installer.AgentKeys{
		AccessKey: installer.NewSecret(text("access_key")), SecretKey: installer.NewSecret(text("secret_key")),
	}
	at := func(field string) string { return f.Untold(f.Path(field)) }
	f.Add(append(c.Validate(at), keys.Validate(at)...))
	f.End(true)
	return c.OrNil(), keys
}
