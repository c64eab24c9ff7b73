package hostsfile

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"tripod/installer/meta"
)

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

// nameFault says what is wrong with a host's own name, or "".
func nameFault(name string) string {
	if utf8.RuneCountInString(name) > meta.MaxName {
		return "must have at most 128 characters"
	}
	if strings.ContainsFunc(name, isControl) {
		return "holds a control character"
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || 0x7f <= r && r <= 0x9f }

// hostKey brings a pin into the form that Endpoint.HostKey has.
func hostKey(text string) (string, error) {
	if digest, found := strings.CutPrefix(text, "SHA256:"); found {
		sum, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(digest, "="))
		if err != nil || len(sum) != 32 {
			return "", errors.New("is not a SHA256: fingerprint as ssh-keygen -l prints it")
		}
		return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum), nil
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(strings.TrimSpace(string(rest))) > 0 {
		return "", errors.New("is neither a public key like \"ssh-ed25519 AAAA…\" nor a SHA256: fingerprint")
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}
