package installer

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

const DefaultPort = 22

// DefaultProject is the project of what a command does if nothing is said.
const DefaultProject = "default"

// Endpoint is where an SSH server listens and as whom to log in.
type Endpoint struct {
	Address string `json:"address"` // an IP address without a zone, or a host name
	Port    uint16 `json:"port"`
	User    string `json:"user"`
	HostKey string `json:"host_key,omitempty"` // a pin given by the user, see ParseHostKey; empty: none
}

// HostPort returns "address:port", IPv6 addresses in brackets.
func (e Endpoint) HostPort() string {
	return net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port)))
}

// Become says how to become root on a host where the login is another user.
type Become string

const (
	BecomeAuto  Become = "" // sudo, or doas where there is no sudo
	BecomeSudo  Become = "sudo"
	BecomeDoas  Become = "doas"
	BecomeSu    Become = "su"    // with the password of root
	BecomeNever Become = "never" // work as the login user: only for scripts that need no root
)

// Becomes are all that can be given.
var Becomes = []Become{BecomeSudo, BecomeDoas, BecomeSu, BecomeNever}

// InstanceType is the API's instance_type.
type InstanceType string

const (
	ECS InstanceType = "ECS" // elastic cloud server, the default
	BMS InstanceType = "BMS" // bare-metal server
)

// AgentState is the API's extension_status.
type AgentState string

const (
	AgentNone    AgentState = "none"    // not installed
	AgentRunning AgentState = "running" // healthy
	AgentStopped AgentState = "stopped" // installed, and meant not to run
	AgentFault   AgentState = "fault"   // should run, and does not
	AgentUnknown AgentState = "unknown" // no news, or too old
)

// KnownHost is a registered host with what is known of its agent.
type KnownHost struct {
	Host
	// Agent and Version are as last found on the host, at Verified.
	Agent     AgentState `json:"agent"`
	Version   string     `json:"version,omitempty"`
	Edition   Edition    `json:"edition,omitempty"` // of the package which Tripod has installed
	Verified  time.Time  `json:"verified,omitzero"`
	Reporting Reporting  `json:"reporting,omitzero"` // as found last
	Login     bool       `json:"login"`              // a password or key is kept for it
	JumpHost  bool       `json:"jump_host"`          // others are reached through it
}

// HostFilter selects known hosts. Zero fields select all.
type HostFilter struct {
	IDs    []string          `json:"instance_ids,omitzero"` // those that are known of these
	Labels map[string]string `json:"labels,omitzero"`       // hosts that have all of them; an empty value: any
	Offset int64             `json:"offset,omitzero"`
	Limit  int               `json:"limit,omitzero"` // 0: all
}

// HostPage is a part of a list of known hosts, in the order of their ids.
type HostPage struct {
	Hosts []KnownHost `json:"hosts"`
	Count int64       `json:"count"` // all that match
}

// HostEntry is a host that the user names, with the credentials that came with it. Without any,
// those that are kept count while it is reached in the same way: see Host.SameRoute.
type HostEntry struct {
	Where       string      `json:"where,omitempty"` // its place in the input, for messages; empty: none
	Host        Host        `json:"host"`
	Credentials Credentials `json:"credentials"`
	DefaultKey  bool        `json:"-"` // log in with the project's default key
	HasSecret   bool        `json:"-"` // the input itself holds a secret of this host
}

// Host is a machine to work on; the API calls it an instance. See Host.Validate.
type Host struct {
	ID   string       `json:"instance_id"`
	Name string       `json:"instance_name"`
	Type InstanceType `json:"instance_type"`
	Endpoint
	Via         []Endpoint        `json:"via,omitempty"`     // the jump hosts on the way, first hop first
	RouteChoice *RouteChoice      `json:"through,omitempty"` // in place of Via: one is chosen when the host is dialled
	Become      Become            `json:"become,omitempty"`
	IntranetIPs []string          `json:"intranet_ips,omitempty"`
	ElasticIPs  []string          `json:"elastic_ips,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"` // the user's own, see LabelFault
	// Agent is the configuration of this host's agent. Nil: none of its own.
	Agent *AgentConfig `json:"agent_config,omitempty"`
	// Vars are variables of a script of one's own on this host, see VarFault.
	Vars map[string]string `json:"vars,omitempty"`
}

// SameMachine reports whether both are reached at the same address and port through
// the same jump hosts. The logins may differ.
func (h Host) SameMachine(other Host) bool {
	return h.HostPort() == other.HostPort() && SameHops(h.Via, other.Via) && h.RouteChoice.Same(other.RouteChoice)
}

// Sameness is how two descriptions of a host are one machine.
type Sameness int

const (
	OtherMachine Sameness = iota
	SameHostKey           // the same address and port, and a host key is pinned there that every way has to show
	SameRoute             // one way to the first leads to the second; jump hosts are exchangeable
)

// SameRoute reports whether what gets into one host may be sent to the other: both are
// reached at the same address and port as the same user, with the same pinned host key or
// none, and so is every jump host on the way. Only this decides where a kept login goes.
func (h Host) SameRoute(other Host) bool {
	return h.Endpoint == other.Endpoint && slices.Equal(h.Via, other.Via) && h.RouteChoice.Same(other.RouteChoice)
}

// TakePins takes over the user's pins of the known host and its jump hosts, where h is that machine
// and names none. Nobody who leaves a pin out is to get around it.
func (h *Host) TakePins(known Host) {
	if !h.SameMachine(known) {
		return
	}
	h.HostKey = cmp.Or(h.HostKey, known.HostKey)
	h.Via = slices.Clone(h.Via) // others may have the same
	for i := range h.Via {
		h.Via[i].HostKey = cmp.Or(h.Via[i].HostKey, known.Via[i].HostKey)
	}
}

// SameHops reports whether two ways lead through the same jump hosts.
func SameHops(a, b []Endpoint) bool {
	return slices.EqualFunc(a, b, func(a, b Endpoint) bool { return a.HostPort() == b.HostPort() })
}

// KnownAs takes over what is known of the host: its id, whichever that is, and the host
// key, way to root, addresses, labels, variables and agent's configuration as far as h has none. ECS is what hosts are by default.
func (h *Host) KnownAs(known Host) {
	h.ID = known.ID
	h.HostKey = cmp.Or(h.HostKey, known.HostKey)
	if h.Type != BMS {
		h.Type = known.Type
	}
	if len(h.IntranetIPs)+len(h.ElasticIPs) == 0 {
		h.IntranetIPs, h.ElasticIPs = known.IntranetIPs, known.ElasticIPs
	}
	if len(h.Labels) == 0 {
		h.Labels = known.Labels
	}
	if known.Become != BecomeNever { // which is said for each task
		h.Become = cmp.Or(h.Become, known.Become)
	}
	h.Agent = h.Agent.Or(known.Agent)
	if len(h.Vars) == 0 {
		h.Vars = known.Vars
	}
}

// DeriveIPs fills in the lists of addresses from the host's own, where there is
// neither: a public one is elastic, any other intranet, and a name tells nothing.
func (h *Host) DeriveIPs() {
	addr, err := netip.ParseAddr(h.Address)
	switch {
	case err != nil || len(h.IntranetIPs)+len(h.ElasticIPs) > 0:
	case addr.IsGlobalUnicast() && !addr.IsPrivate():
		h.ElasticIPs = []string{h.Address}
	default:
		h.IntranetIPs = []string{h.Address}
	}
}

// Label is the host for people: its name, if it has one of its own, with the address.
func (h Host) Label() string {
	at := h.Address
	if h.Port != DefaultPort {
		at = h.HostPort()
	}
	if h.Name == "" || h.Name == h.Address {
		return at
	}
	return h.Name + " (" + at + ")"
}

// HostKeyPolicy says what a server's host key must be.
type HostKeyPolicy string

const (
	AcceptNew HostKeyPolicy = "accept-new" // pins the key at first sight and refuses a change; the default
	Strict    HostKeyPolicy = "strict"     // wants a known_hosts entry, an earlier pin or one in the hosts file
	Insecure  HostKeyPolicy = "insecure"   // accepts any key; only by explicit flag
)

// policies are from the weakest to the strictest.
var policies = []HostKeyPolicy{Insecure, AcceptNew, Strict}

func (p HostKeyPolicy) Known() bool { return slices.Contains(policies, p) }

func (p HostKeyPolicy) WeakerThan(q HostKeyPolicy) bool {
	return slices.Index(policies, p) < slices.Index(policies, q)
}
