package hostsfile

// ParseHostKey brings a pin into the form that Endpoint.HostKey has: a public
// key, or a SHA256: fingerprint. Errors do not quote the text.
func ParseHostKey(text string) (string, error) { return hostKey(text) }

// NameFault says what is wrong with a host's own name, or "".
func NameFault(name string) string { return nameFault(name) }
