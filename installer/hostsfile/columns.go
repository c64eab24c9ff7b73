package hostsfile

import (
	"slices"
	"strings"
)

var columns = []string{
	"address", "name", "port", "user", "password", "key", "passphrase", "sudo_password", "host_key", "via",
	"instance_id", "type", "labels", "intranet_ips", "elastic_ips",
}

// otherNames of columns are the API's, and what people write.
var otherNames = map[string]string{
	"host": "address", "ip": "address", "remote_ip": "address", "instance_name": "name", "user_name": "user", "username": "user",
	"identity": "key", "instance_type": "type", "intranet_ip": "intranet_ips", "elastic_ip": "elastic_ips",
}

// secretColumns are taken byte for byte.
var secretColumns = []string{"password", "sudo_password", "passphrase"}

var knownColumns = strings.Join(columns, ", ")

// columnNamed finds a column by a name of the header; "": there is none.
func columnNamed(name string) string {
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.Trim(name, "\" \t\r\n")))
	if other, known := otherNames[name]; known {
		return other
	}
	if slices.Contains(columns, name) {
		return name
	}
	return ""
}
