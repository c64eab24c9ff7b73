package control

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// list is a body with n entries in one of its lists.
func list(key, entry string, n int) []byte {
	return []byte(`{"` + key + `":[` + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + `]}`)
}

// TestTooManyEntriesCostLittle: what is refused for the number of its entries
// is refused before anything is made of them.
func TestTooManyEntriesCostLittle(t *testing.T) {
	for name, tc := range map[string]struct {
		body []byte
		into func() any
		want string
	}{
		"of":         {list("of", `"i"`, maxItems+1), func() any { return new(wireRequest) }, "of: must hold at most 100000 items"},
		"logins":     {list("logins", "{}", maxLogins+1), func() any { return new(wireRequest) }, "logins: must hold at most 200000 items"},
		"way":        {list("hosts", `{"via":[`+strings.Repeat("0,", maxNested)+`0]}`, 1), func() any { return new(wireRequest) }, "hosts[0].via: must hold at most 256 items"},
		"hosts":      {list("hosts", "{}", maxItems+1), func() any { return new(wireHosts) }, "hosts: must hold at most 100000 items"},
		"ids":        {list("instance_ids", `"i"`, maxItems+1), func() any { return new(wireIDs) }, "instance_ids: must hold at most 100000 items"},
		"other case": {list("LOGINS", "{}", maxItems+1), func() any { return new(wireRequest) }, "LOGINS: must hold at most 100000 items"},
		"spaced":     {[]byte(`{"logins":[],"hosts"` + strings.Repeat(" ", 1000) + `:[` + strings.Repeat("{},", maxItems) + `{}]}`), func() any { return new(wireRequest) }, "hosts: must hold at most 100000 items"},
		"all lists":  {list("hosts", `{"via":[`+strings.Repeat("0,", 100)+`0]}`, 17_000), func() any { return new(wireRequest) }, "hosts[15841].via: is one of the lists in hosts: they must hold at most 1600000 items together"},
		"deep":       {[]byte(strings.Repeat("[", 10_000)), func() any { return new(wireRequest) }, strings.Repeat("[0]", 16) + ": is nested more than 16 deep"},
	} {
		into := tc.into()
		var err error
		allocs := testing.AllocsPerRun(3, func() { err = decode(tc.body, into) })
		_, ok := err.(installer.Faults)
		require.True(t, ok, "%s: %v", name, err)
		require.EqualError(t, err, tc.want, name)
		if name != "credentials" { // the names are looked at for ones that are there twice
			assert.Less(t, allocs, 60.0, name)
		}
		assert.Equal(t, tc.into(), into, "%s: nothing was made of it", name)
	}
}

// TestAsManyEntriesAsAllowed: commas and brackets in strings are none.
func TestAsManyEntriesAsAllowed(t *testing.T) {
	var b wireRequest
	require.NoError(t, decode(list("hosts", `{"where":"a,[{\",\\"}`, maxItems), &b))
	require.Len(t, b.Hosts, maxItems)
	require.Equal(t, `a,[{",\`, b.Hosts[maxItems-1].Where)
	require.NoError(t, decode(list("hosts", `{"host":{"via":[{},{},{},{},{},{},{},{}],"labels":{"a":"","b":"","c":"","d":""}},"via":[0,0,0,0,0,0,0,0]}`, maxItems), new(wireRequest)))
	var logins wireRequest
	require.NoError(t, decode(list("logins", `{}`, 2*maxItems), &logins))
	require.Len(t, logins.Logins, 2*maxItems)
	for _, broken := range []string{``, `{`, `}`, `{"a`, `{"a\`, `,`, `]]]],,,`} {
		require.ErrorContains(t, decode([]byte(broken), new(wireRequest)), "document: ", fmt.Sprint(broken))
	}
}
