package installer

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
)

// Online is where hosts get the agent by themselves if no package is given: URL/agent_install.sh is
// downloaded on the host, and run with the version and the region.
type Online struct {
	URL      string `json:"url"`                // of the folder of agent_install.sh; https, or http on loopback
	Region   string `json:"region"`             // is given to it
	Insecure bool   `json:"insecure,omitempty"` // plain http, and certificates that nobody checks, are fine
}

var (
	regionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	// No quote, no blank, nothing that a shell or an argument vector could take
	// for something else.
	plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9._~:/@%+,=\[\]-]{1,990}$`)
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

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
