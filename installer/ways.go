package installer

import (
	"context"
	"slices"
)

// Through says that a host is reached by way of an installer which is chosen
// when it is dialled: the first one that is healthy.
type Through struct {
	// Named are the installers that were asked for, in order of preference. No
	// other one is taken. Empty: those of the project, as they are then.
	Named []NamedInstaller `json:"named,omitempty"`
}

// NamedInstaller is an installer that a request names.
type NamedInstaller struct {
	ID string `json:"instance_id"`
	// SetUp: it was an installer of the project when it was named, and is not
	// used any more once it is none. Otherwise it is a known host.
	SetUp bool `json:"set_up,omitempty"`
}

// Same reports whether both name the same installers in the same order.
func (t *Through) Same(other *Through) bool {
	if t == nil || other == nil {
		return t == other
	}
	return slices.EqualFunc(t.Named, other.Named, func(a, b NamedInstaller) bool { return a.ID == b.ID })
}

// Way is how to get to the hosts behind one installer.
type Way struct {
	// Installer is its instance id.
	Installer string
	// Hops are the servers on the way, first hop first, the installer last. Each
	// has a login of its own in Logins.
	Hops   []Endpoint
	Logins []Login
	// Fail says why this way cannot be gone, whoever is healthy: there is no
	// login for it, or the installer is none any more. Nil: it may be tried.
	Fail *Failure
}

// To is the part of the way that leads to a host: one that is itself a hop is
// reached as that hop is, and not through itself.
func (w Way) To(host Endpoint) Way {
	at := slices.IndexFunc(w.Hops, func(hop Endpoint) bool { return hop.HostPort() == host.HostPort() })
	if at >= 0 && at < len(w.Logins) {
		w.Hops, w.Logins = slices.Clip(w.Hops[:at]), slices.Clip(w.Logins[:at])
	}
	return w
}

// LoginOf is the login of the last of the hops, if one of the ways leads over these
// and no others: at the same addresses, the last one as the same user and with the
// same pin.
func LoginOf(ways []Way, hops []Endpoint) (Login, bool) {
	last := len(hops) - 1
	for _, w := range ways {
		if w.Fail == nil && last >= 0 && SameHops(w.Hops, hops) && w.Hops[last] == hops[last] {
			return w.Logins[last], true
		}
	}
	return Login{}, false
}

// Wayfinder knows the ways through the installers of a project.
type Wayfinder interface {
	// Ways returns them as they are now, with the logins that are kept now, in the
	// order in which they are to be tried. No other project's installer is among
	// them. Without Named ones it is empty if the project has no installer; with
	// them it has one at least for each of them.
	Ways(ctx context.Context, project string, through Through) ([]Way, error)
}
