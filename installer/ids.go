package installer

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strconv"

	"tripod/installer/lazyregexp"
)

// Forms of names, after the public API. What has another form gets near no store and no path.
var (
	ProjectForm = lazyregexp.New(`^[A-Za-z0-9_-]{1,64}$`) // of a project (tenant)
	IDForm      = lazyregexp.New(`^[a-zA-Z0-9-]{1,64}$`)  // of instances, invocations and batches
	SHA256Form  = lazyregexp.New(`^[0-9a-f]{64}$`)        // of the hash that names a file
)

// InstanceID derives the id of a host that was given none: always the same for the same place.
func InstanceID(project, address string, port uint16) string {
	sum := sha256.Sum256([]byte(project + "\x00" + net.JoinHostPort(address, strconv.Itoa(int(port)))))
	return "host-" + hex.EncodeToString(sum[:16])
}
