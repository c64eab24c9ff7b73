package installer

// Rights are what a token or key may do in its project.
type Rights string

const (
	FullRights Rights = "full"
	ReadRights Rights = "read" // look, and change nothing
)

// Principal is who asks.
type Principal struct {
	Project string
	// Kind is "token" or "key".
	Kind string
	// Name is the one that the user gave it.
	Name   string
	Rights Rights
}

// String is how the audit log names the principal: "token NAME".
func (p Principal) String() string { return p.Kind + " " + p.Name }
