package installer

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"regexp"
	"strconv"
)

// Forms of names, after the public API. What has another form gets near no store
// and no path.
var (
	// ProjectForm is that of a project (tenant).
	ProjectForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// IDForm is that of the ids of instances, invocations and batches.
	IDForm = regexp.MustCompile(`^[a-zA-Z0-9-]{1,64}$`)
	// SHA256Form is that of the hash that names a file.
	SHA256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// InstanceID derives the id of a host that was given none: the same project,
// address and port always give the same id.
func InstanceID(project, address string, port uint16) string {
	sum := sha256.Sum256([]byte(project + "\x00" + net.JoinHostPort(address, strconv.Itoa(int(port)))))
	return "host-" + hex.EncodeToString(sum[:16])
}
