package hostsfile

import (
	"slices"
	"strings"

	"tripod/installer"
)

var columns = []string{
	"address", "name", "port", "user", "password", "key", "passphrase", "become", "sudo_password", "host_key", "via",
	"instance_id", "type", "labels", "intranet_ips", "elastic_ips",
	"agent_region", "agent_endpoint", "agent_project_id", "agent_instance_id", "agent_bms",
	"agent_access_key", "agent_secret_key",
}

// otherNames of columns are the API's, and what people write.
var otherNames = map[string]string{
	"host": "address", "ip": "address", "remote_ip": "address", "instance_name": "name", "user_name": "user", "username": "user",
	"identity": "key", "instance_type": "type", "intranet_ip": "intranet_ips", "elastic_ip": "elastic_ips",
}

// secretColumns are taken byte for byte.
var (
	passwordColumns = []string{"password", "sudo_password", "passphrase"}
	secretColumns   = slices.Concat(passwordColumns, []string{"agent_access_key", "agent_secret_key"})
)

var knownColumns = strings.Join(columns, ", ") + ", var.NAME, secret.NAME"

// Columns of variables begin with these; what follows is taken as it is.
const (
	varColumn       = "var."
	secretVarColumn = "secret."
)

// columnNamed finds a column by a name of the header; "": there is none.
func columnNamed(name string) string {
	name = strings.Trim(name, "\" \t\r\n")
	if isVariable(name) {
		return name
	}
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(name))
	if other, known := otherNames[name]; known {
		return other
	}
	if slices.Contains(columns, name) {
		return name
	}
	return ""
}

// columnFault says what is wrong with the name of a variable's column, or "".
func columnFault(column string) string {
	if !isVariable(column) {
		return ""
	}
	_, name, _ := strings.Cut(column, ".")
	return installer.VarFault(name, "")
}

func isVariable(column string) bool {
	return strings.HasPrefix(column, varColumn) || strings.HasPrefix(column, secretVarColumn)
}

// byteExact: nothing is trimmed off.
func byteExact(column string) bool {
	return slices.Contains(secretColumns, column) || isVariable(column)
}
