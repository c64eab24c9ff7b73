package hostsfile

import "strings"

// column of a CSV file.
type column int

const (
	colAddress column = iota
	colName
	colPort
	colUser
	colPassword
	colKey
	colPassphrase
	colSudoPassword
	colHostKey
	colVia
	colInstanceID
	colType
	colLabels
	colIntranetIPs
	colElasticIPs
	columnCount
)

// columns are the names that a header may use: the first of each is what
// messages say. The API's words for the same things are taken too.
var columns = [columnCount][]string{
	colAddress:      {"address", "host", "ip", "remote_ip"},
	colName:         {"name", "instance_name"},
	colPort:         {"port"},
	colUser:         {"user", "user_name", "username"},
	colPassword:     {"password"},
	colKey:          {"key", "identity"},
	colPassphrase:   {"passphrase"},
	colSudoPassword: {"sudo_password"},
	colHostKey:      {"host_key"},
	colVia:          {"via"},
	colInstanceID:   {"instance_id"},
	colType:         {"type", "instance_type"},
	colLabels:       {"labels"},
	colIntranetIPs:  {"intranet_ips", "intranet_ip"},
	colElasticIPs:   {"elastic_ips", "elastic_ip"},
}

// columnNamed finds a column by a name of the header.
func columnNamed(name string) (column, bool) {
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
	for col, names := range columns {
		for _, known := range names {
			if known == name {
				return column(col), true
			}
		}
	}
	return 0, false
}

func knownColumns() string {
	names := make([]string, 0, columnCount)
	for _, known := range columns {
		names = append(names, known[0])
	}
	return strings.Join(names, ", ")
}
