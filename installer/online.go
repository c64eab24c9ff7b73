package installer

import (
	"errors"
	"net/netip"
	"net/url"

	"tripod/installer/lazyregexp"
)

// Online is where hosts get the agent by themselves if no package is given: the official installer is
// downloaded on the host, and run with the version, the region and what else is set.
type Online struct {
	URL             string `json:"url"`                        // of the installer's folder; https, or http on loopback
	Script          string `json:"script,omitempty"`           // the installer: OldOnlineScript; empty: agent_install.sh
	Region          string `json:"region"`                     // option -r
	UniagentVersion string `json:"uniagent_version,omitempty"` // option -u
	Domain          string `json:"domain,omitempty"`           // option -d
	OBSDomain       string `json:"obs_domain,omitempty"`       // option -o
	Insecure        bool   `json:"insecure,omitempty"`         // plain http, and certificates that nobody checks, are fine
}

// The official installers. The one of old regions takes no options.
const (
	OnlineScript    = "agent_install.sh"
	OldOnlineScript = "agentInstall.sh"
)

var (
	uniagentVersion = lazyregexp.New(`^([0-9A-Za-z][0-9A-Za-z_.-]{0,63})?$`)
	domainName      = lazyregexp.New(`^([0-9A-Za-z][0-9A-Za-z.-]{0,252}(:[0-9]{1,5})?)?$`)
	regionName      = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	// No quote, no blank, nothing that a shell or an argument vector could take
	// for something else.
	plainURL = lazyregexp.New(`^https?://[A-Za-z0-9._~:/@%+,=\[\]-]{1,990}$`)
)

func (o Online) CheckURL() error { return checkURL(o.URL, o.Insecure) }

func checkURL(text string, insecure bool) error {
	at, err := url.Parse(text)
	switch {
	case err != nil || !plainURL.MatchString(text) || at.Hostname() == "":
		return errors.New("want https://HOST[:PORT][/FOLDER], at most 1000 plain characters")
	case at.User != nil:
		return errors.New("must not hold a user or a password")
	case at.Scheme == "http" && !insecure && !isLoopback(at.Hostname()):
		return errors.New("http can be changed on its way to the hosts: want https")
	}
	return nil
}

func (o Online) CheckRegion() error { return checkRegion(o.Region) }

func checkRegion(region string) error {
	if !regionName.MatchString(region) {
		return errors.New("want 1 to 64 of A-Z a-z 0-9 _ -, a letter or digit first")
	}
	return nil
}

// Validate tells all that is wrong.
func (o Online) Validate(at At) Faults {
	v := validation{at: at}
	old := o.Script == OldOnlineScript
	const optionless = OldOnlineScript + " takes no options"
	v.add("url", errorText(o.CheckURL()))
	v.want("script", o.Script == "" || old, "must be empty or "+OldOnlineScript)
	if !old || o.Region != "" {
		v.add("region", errorText(o.CheckRegion()))
	}
	v.want("uniagent_version", uniagentVersion.MatchString(o.UniagentVersion),
		"want 0 to 64 of 0-9 A-Z a-z _ . -, a letter or digit first")
	v.want("uniagent_version", !old || o.UniagentVersion == "", optionless)
	for _, d := range []struct{ field, value string }{{"domain", o.Domain}, {"obs_domain", o.OBSDomain}} {
		v.want(d.field, domainName.MatchString(d.value), "want a host name, with a port or without")
		v.want(d.field, !old || d.value == "", optionless)
	}
	return v.Faults
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
