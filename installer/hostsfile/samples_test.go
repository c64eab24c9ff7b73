package hostsfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func sample(t *testing.T, name string) ([]installer.HostEntry, error) {
	t.Helper()
	return sampleIn(t, FormatAuto, name)
}

func sampleIn(t *testing.T, format Format, name string) ([]installer.HostEntry, error) {
	t.Helper()
	path := filepath.Join("../../testdata/hosts", name)
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return Parse(path, f, format, Defaults{Login: installer.Login{Password: installer.NewSecret("from the flags")}})
}

func places(entries []installer.HostEntry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Host.User+"@"+e.Host.HostPort())
	}
	return all
}

func TestSampleList(t *testing.T) {
	t.Parallel()
	entries, err := sample(t, "list.txt")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"root@192.0.2.10:22", "admin@192.0.2.11:2222", "root@web-3.example.com:22", "root@[2001:db8::10]:22",
		"root@10.0.0.1:22", "root@10.0.0.2:22", "root@10.0.0.3:22", "root@10.0.0.4:22", "root@10.0.0.5:22",
		"root@web01.example.com:22", "root@web02.example.com:22", "root@web03.example.com:22", "root@web10.example.com:22",
		"deploy@db1-01.example.com:2200", "deploy@db1-02.example.com:2200", "deploy@db2-01.example.com:2200", "deploy@db2-02.example.com:2200",
	}, places(entries))
	assert.Equal(t, "../../testdata/hosts/list.txt:4", entries[1].Where)
	assert.Equal(t, "from the flags", entries[0].Credentials.Password.Reveal())
	assert.False(t, HasSecrets(entries))
}

func TestSampleIPList(t *testing.T) {
	t.Parallel()
	entries, err := sampleIn(t, FormatIPPassword, "iplist.txt")
	require.NoError(t, err)
	assert.Equal(t, []string{"root@192.0.2.20:22", "root@192.0.2.21:22", "root@[2001:db8::21]:22"}, places(entries))
	assert.Equal(t, ` spaces, commas and "quotes" are kept `, entries[1].Credentials.Password.Reveal())
	assert.Equal(t, "p#ssw0rd", entries[2].Credentials.Password.Reveal())
	assert.True(t, HasSecrets(entries))
}

func TestSampleCSV(t *testing.T) {
	t.Parallel()
	entries, err := sample(t, "hosts.csv")
	require.NoError(t, err)
	assert.Equal(t, []string{
		"root@192.0.2.30:22", "admin@192.0.2.31:2222", "jump@192.0.2.1:22", "root@10.1.0.5:22",
		"root@10.1.1.1:22", "root@10.1.1.2:22", "root@10.1.1.3:22",
	}, places(entries))
	assert.Equal(t, `has a comma, and "quotes"`, entries[1].Credentials.Password.Reveal())
	assert.Equal(t, "example-sudo", entries[1].Credentials.SudoPassword.Reveal())
	bastion := entries[2].Host
	assert.Equal(t, "bastion-1", bastion.ID)
	assert.Equal(t, installer.BMS, bastion.Type)
	assert.Equal(t, "SHA256:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", bastion.HostKey)
	behind := entries[3]
	assert.Equal(t, []installer.Endpoint{{Address: "192.0.2.1", Port: 22, User: "jump"}}, behind.Host.Via)
	require.Len(t, behind.Credentials.Via, 1)
	assert.Equal(t, "example-jump", behind.Credentials.Via[0].Password.Reveal())
	assert.Equal(t, "10.1.1.3", entries[6].Host.Name)
}

func TestSampleKeys(t *testing.T) {
	t.Parallel()
	entries, err := sample(t, "keys.csv")
	require.NoError(t, err)
	require.Len(t, entries, 2)
	assert.Contains(t, entries[0].Credentials.PrivateKey.Reveal(), "BEGIN OPENSSH PRIVATE KEY")
	assert.Equal(t, "example-passphrase", entries[1].Credentials.Passphrase.Reveal())
	assert.True(t, entries[0].Credentials.Password.IsZero())
}

func TestSampleJSON(t *testing.T) {
	t.Parallel()
	entries, err := sample(t, "remote_install_meta.json")
	require.NoError(t, err)
	assert.Equal(t, []string{"root@192.0.2.40:22", "admin@192.0.2.41:2222"}, places(entries))
	assert.Equal(t, "../../testdata/hosts/remote_install_meta.json remote_install_meta[1]", entries[1].Where)
	assert.Equal(t, `ünïcode and "quotes"`, entries[1].Credentials.Password.Reveal())
	assert.Equal(t, "web-2", entries[1].Host.Name)
}

func TestSamplesRefused(t *testing.T) {
	t.Parallel()
	_, err := sample(t, "ansible.ini")
	require.EqualError(t, err, "../../testdata/hosts/ansible.ini:2: "+ansibleFault)
	_, err = sample(t, "hosts.yaml")
	require.EqualError(t, err, "../../testdata/hosts/hosts.yaml:2: "+yamlFault)

	_, err = sample(t, "faulty.csv")
	const at = "../../testdata/hosts/faulty.csv:"
	require.EqualError(t, err, at+"3 port: must be a port: 1 to 65535, digits only, no leading zero\n"+
		at+"4 address: this is neither a host name nor a valid IPv4 address: four numbers of 0 to 255 without leading zeros\n"+
		at+"5 user: the user name begins with '-'\n"+
		at+`6: there is a quote inside a field: put the field in quotes and double the ones in it, as in "say ""hi"""`+"\n"+
		at+"7: has 5 fields, the header has 4: is a comma in a field that is not in quotes?\n"+
		at+"8: 192.0.2.70:22 is there already: "+at+"2")
}
