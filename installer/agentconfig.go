package installer

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AgentConfig is what the agent's configuration files are to say. What is empty stays as it is on the host.
type AgentConfig struct {
	Region     string `json:"region,omitempty"`
	Endpoint   string `json:"endpoint,omitempty"` // of Cloud Eye: a URL, https or on loopback http
	ProjectID  string `json:"project_id,omitempty"`
	InstanceID string `json:"instance_id,omitempty"`
	BMS        *bool  `json:"bms,omitempty"` // whether the host is a bare-metal server
}

// AgentConfigFields are the names of the fields, in files and in labels.
var AgentConfigFields = []string{"region", "endpoint", "project_id", "instance_id", "bms"}

// agentLabels is the beginning of the names of labels that configure the agent.
const agentLabels = "agent."

// OrNil is nil where nothing is said.
func (c *AgentConfig) OrNil() *AgentConfig {
	if c == nil || *c == (AgentConfig{}) {
		return nil
	}
	return c
}

// Or is c, with the fields of lower where c leaves them open. Nil: nothing is said.
func (c *AgentConfig) Or(lower *AgentConfig) *AgentConfig {
	if c, lower = c.OrNil(), lower.OrNil(); c == nil || lower == nil {
		return cmp.Or(c, lower)
	}
	return &AgentConfig{
		Region: cmp.Or(c.Region, lower.Region), Endpoint: cmp.Or(c.Endpoint, lower.Endpoint),
		ProjectID: cmp.Or(c.ProjectID, lower.ProjectID), InstanceID: cmp.Or(c.InstanceID, lower.InstanceID),
		BMS: cmp.Or(c.BMS, lower.BMS),
	}
}

// Set sets one of AgentConfigFields. An empty text is none.
func (c *AgentConfig) Set(field, text string) error {
	switch field {
	case "region":
		c.Region = text
	case "endpoint":
		c.Endpoint = text
	case "project_id":
		c.ProjectID = text
	case "instance_id":
		c.InstanceID = text
	case "bms":
		if yes, err := strconv.ParseBool(text); err == nil {
			c.BMS = &yes
		} else if text != "" {
			return errors.New("must be true or false")
		}
	}
	return nil
}

// Validate brings fields into their usual form, and tells all that is wrong.
func (c *AgentConfig) Validate(at At) Faults {
	v := validation{at: at}
	if c.Region != "" {
		v.add("region", errorText(checkRegion(c.Region)))
	}
	if c.Endpoint != "" {
		if !strings.Contains(c.Endpoint, "://") {
			c.Endpoint = "https://" + c.Endpoint
		}
		c.Endpoint = strings.TrimRight(c.Endpoint, "/")
		v.add("endpoint", errorText(checkURL(c.Endpoint, false)))
	}
	v.add("project_id", TextFault(c.ProjectID))
	v.add("instance_id", TextFault(c.InstanceID))
	return v.Faults
}

// AgentConfigOf is what a host's labels say of its agent. Nil: nothing.
func AgentConfigOf(labels map[string]string) *AgentConfig {
	var c AgentConfig
	for _, field := range AgentConfigFields {
		_ = c.Set(field, labels[agentLabels+field]) // labels are checked when they are given
	}
	return c.OrNil()
}

func agentLabelFault(name, value string) string {
	field, ours := strings.CutPrefix(name, agentLabels)
	if !ours || !slices.Contains(AgentConfigFields, field) {
		return ""
	}
	var c AgentConfig
	if err := c.Set(field, value); err != nil {
		return name + " " + err.Error()
	}
	for _, f := range c.Validate(func(string) string { return name }) {
		return f.Where + ": " + f.What
	}
	return ""
}

// AgentKeys are what the agent signs its reports with. Zero: the agent keeps those that it has.
type AgentKeys struct {
	AccessKey Secret `json:"access_key,omitzero"`
	SecretKey Secret `json:"secret_key,omitzero"`
}

// AgentKeyFields are the names of the fields, in files.
var AgentKeyFields = []string{"access_key", "secret_key"}

func (k AgentKeys) IsZero() bool { return k == AgentKeys{} }

func (k AgentKeys) Validate(at At) Faults {
	v := validation{at: at}
	for i, key := range []Secret{k.AccessKey, k.SecretKey} {
		field, text := AgentKeyFields[i], key.Reveal()
		switch {
		case key.IsZero() && !k.IsZero():
			v.add(field, "is missing: access_key and secret_key are given together")
		case utf8.RuneCountInString(text) > MaxPassword:
			v.add(field, "must have at most "+strconv.Itoa(MaxPassword)+" characters")
		case HasControl(text):
			v.add(field, "holds a control character")
		}
	}
	return v.Faults
}
