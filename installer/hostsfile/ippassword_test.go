package hostsfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestWhatFollowsTheCommaMayBeSomethingElse: nothing that can be read in two
// ways is sent anywhere as root's password, unless the format is named.
func TestWhatFollowsTheCommaMayBeSomethingElse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// lists of hosts
		"10.0.0.1,10.0.0.2,10.0.0.3":      "hosts:1: an address follows the comma",
		"10.0.0.1,10.0.0.2":               "an address follows",
		"10.0.0.1, 10.0.0.2":              "an address follows",
		"10.0.0.1,10.0.0.[2-9]":           "an address follows",
		"10.0.0.1,10.0.[0-3].1":           "an address follows",
		"10.0.0.1,10.[0-3].0.1":           "an address follows",
		"10.0.0.1,10.0.0.2-9":             "an address follows",
		"10.0.0.1,10.0.0.0/24":            "an address follows",
		"10.0.0.1,10.0.0.2:22":            "an address follows",
		"10.0.0.1,root@10.0.0.2:22":       "an address follows",
		"10.0.0.1,10.0.0.300":             "an address follows",
		"10.0.0.1,web[01-12].example":     "an address follows",
		"10.0.0.1,Web{1..3}":              "an address follows",
		"::1,2001:db8::2":                 "an address follows",
		"::1,[2001:DB8::2]:22":            "an address follows",
		"10.0.0.1,00:1B:44:11:3A:B7":      "an address follows",
		"10.0.0.1,Str0ng!\n10.0.0.2,::1":  "hosts:2: an address follows",
		"10.0.0.1,10.0.0.2\n10.0.0.3,::1": "hosts:1: an address follows", // once

		// one line is enough, whatever the others are
		"10.0.0.1,S3cret\n10.0.0.2,web-2":              "hosts:2: what follows the comma may be a name",
		"10.0.0.1,web-1\n10.0.0.2,Web-2":               "hosts:1: what follows the comma may be a name",
		"10.0.0.1,Berlin\n10.0.0.2,S3cret":             "may be a name",
		"10.0.0.1,Germany/Berlin":                      "may be a name",
		"10.0.0.1,web1-Prod.example.com":               "may be a name",
		"10.0.0.1,Jump Host":                           "words with blanks",
		"10.0.0.1,ecs-web-0001 (Beijing)":              "words with blanks",
		"10.0.0.1,Ubuntu 22.04":                        "words with blanks",
		"10.0.0.1,2024-01-01 10:00":                    "words with blanks",
		"10.0.0.1,root secret":                         "words with blanks",
		"10.0.0.1,web1 ssh-rsa AAAAB3":                 "a key or a fingerprint",
		"10.0.0.1,ssh-ed25519 AAAAC3":                  "a key or a fingerprint",
		"10.0.0.1,ecdsa-sha2-nistp256 AAAAE2":          "a key or a fingerprint",
		"10.0.0.1,SHA256:nThbg6kXUpJWGl7E1":            "a key or a fingerprint",
		"10.0.0.1,-----BEGIN OPENSSH PRIVATE KEY-----": "a key or a fingerprint",
		"10.0.0.1,/home/me/key one.pem":                "a file's path",
		"10.0.0.1,~/.ssh/id_ed25519":                   "a file's path",
		"10.0.0.1,root;Secret1":                        "a user may stand before",
		"10.0.0.1,root:Secret1":                        "a user may stand before",
		"10.0.0.1,root|Secret1":                        "a user may stand before",
		"10.0.0.1,$ROOT_PW":                            "a placeholder",
		"10.0.0.1,{{ pw }}":                            "a placeholder",
		"10.0.0.1,******":                              "a placeholder",
		"10.0.0.1,<password>":                          "a placeholder",
		"10.0.0.1,Secret1 // prod":                     "may have a comment",

		// CSV without a header, and its like
		"10.0.0.1,ops,S3cret\n10.0.0.2,dev,Hunter2":  "hosts:1: there is a second comma",
		"10.0.0.1,22,root,S3cret":                    "there is a second comma",
		"10.0.0.1,S3cret,":                           "there is a second comma",
		"10.0.0.1,ops\tS3cret":                       "a tab follows the comma",
		"10.0.0.1,\"S3cret\"":                        "stands in quotes",
		"10.0.0.1,'S3cret'":                          "stands in quotes",
		"10.0.0.1,S3cret # the database":             "a comment",
		"10.0.0.1, S3cret":                           "a blank",
		"10.0.0.1,S3cret \n":                         "a blank",
		"10.0.0.1,S3cret\u00a0":                      "a blank",
		"10.0.0.1,\u200bS3cret":                      "a blank",
		"10.0.0.1,Str0ng!\n\n# c\n10.0.0.2,S3cret\t": "hosts:4: a tab follows the comma",

		// IP,user, IP,port, IP,hostname, IP,label, IP,id
		"10.0.0.1,root":                                    "may be a name",
		"10.0.0.1,ops\n10.0.0.2,dev_2":                     "hosts:1: what follows the comma may be a name",
		"10.0.0.1,22\n10.0.0.2,2222":                       "may be a name",
		"10.0.0.1,web-1\n10.0.0.2,web-2":                   "may be a name",
		"10.0.0.1,SRV01\n10.0.0.2,SRV02":                   "may be a name",
		"10.0.0.1,db.example.com\n10.0.0.2,web.example:22": "may be a name",
		"10.0.0.1,env=prod;role=db\n10.0.0.2,env=test":     "may be a name",
		"10.0.0.1,ann@example.com\n10.0.0.2,bob@a.example": "may be a name",
		"10.0.0.1,生产\n10.0.0.2,测试":                         "may be a name",
		"10.0.0.1,0d6f7a4c9b\n10.0.0.2,prod/web":           "may be a name",

		// one word for all
		"10.0.0.1,Str0ng!\n10.0.0.2,Str0ng!\n10.0.0.3,Str0ng!": "hosts:1: the same word follows the comma on every line",
		"10.0.0.1,ops\n10.0.0.2,ops":                           "the same word follows",
	} {
		_, err := parse(text, FormatAuto, Defaults{})
		told(t, err, want)
		assert.Contains(t, err.Error(), "--format ip-password", text)
		for _, word := range []string{"S3cret", "Hunter2", "Str0ng", "10.0.0.2", "ops", "web-", "2001", "prod"} {
			assert.NotContains(t, err.Error(), word)
		}
		entries, err := parse(text, FormatIPPassword, Defaults{User: "ops", Login: installer.Login{PrivateKey: secret("key")}})
		require.NoError(t, err, text)
		_, password, _ := strings.Cut(strings.Split(text, "\n")[0], ",")
		assert.Equal(t, password, entries[0].Credentials.Password.Reveal(), "named, it is byte for byte")
	}
}

func TestWhatCanOnlyBeAPassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"10.0.0.1,S3cret", "10.0.0.1,P@ssw0rd", "10.0.0.1,p@ssw0rd", "10.0.0.1,x#y", "10.0.0.1,#x", "10.0.0.1,it's", "10.0.0.1,\"x",
		"10.0.0.1,aGVsbG8=", "10.0.0.1,12.5$", "10.0.0.1,[x]", "10.0.0.1,Huawei@123", "10.0.0.1,$ecret1!",
		"10.0.0.1,Str0ng!\n10.0.0.2,Str0ng!\n10.0.0.3,An0ther?", // groups of hosts share passwords
	} {
		_, err := parse(text, FormatAuto, Defaults{})
		assert.NoError(t, err, text)
	}
}

func TestTheAgentsOwnListMayHavePlainWords(t *testing.T) {
	t.Parallel()
	_, err := Parse("dir/iplist.txt", strings.NewReader("10.0.0.1,sesame\n10.0.0.2,secret\n"), FormatAuto, Defaults{})
	require.NoError(t, err)
	_, err = Parse("dir/hosts.txt", strings.NewReader("10.0.0.1,sesame\n10.0.0.2,secret\n"), FormatAuto, Defaults{})
	told(t, err, "hosts.txt:1: what follows the comma may be a name")
}

func TestFlagsBesideIPPassword(t *testing.T) {
	t.Parallel()
	const text = "# c\n10.0.0.1,S3cret\n10.0.0.2,Hunter2\n"
	for want, d := range map[string]Defaults{
		"hosts:2: a key is given by flag":          {Login: installer.Login{PrivateKey: secret("key")}},
		"hosts:2: a password is given by flag":     {Login: installer.Login{Password: secret("pw")}},
		"hosts:2: another user than root is given": {User: "ops"},
	} {
		_, err := parse(text, FormatAuto, d)
		told(t, err, want)
		assert.Contains(t, err.Error(), "--format ip-password")
		assert.NotContains(t, err.Error(), "S3cret")
		_, err = parse(text, FormatIPPassword, d)
		require.NoError(t, err)
	}
	_, err := parse(text, FormatAuto, Defaults{User: "root", SudoPassword: secret("sudo")})
	require.NoError(t, err)
}

func TestIPPasswordInAFileNamedCSV(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dir/hosts.csv", "HOSTS.CSV", "hosts.tsv"} {
		_, err := Parse(name, strings.NewReader("10.0.0.1,S3cret\n"), FormatAuto, Defaults{})
		told(t, err, name+":1: the file is named as a table and has no header")
		_, err = Parse(name, strings.NewReader("10.0.0.1,S3cret\n"), FormatIPPassword, Defaults{})
		require.NoError(t, err)
	}
	_, err := Parse("hosts.csv", strings.NewReader("127.0.0.1,ops,Ops pass\"w\n"), FormatAuto, Defaults{Login: installer.Login{PrivateKey: secret("key")}})
	told(t, err, "hosts.csv:1: the file is named", "hosts.csv:1: a key is given", "hosts.csv:1: there is a second comma")
}
