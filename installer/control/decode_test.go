package control

import (
	"bytes"
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

// credentials are those of n invocations.
func credentials(n int) []byte {
	body := []byte(`{"credentials":{`)
	for i := range n {
		body = fmt.Appendf(body, `"i-%d":{},`, i)
	}
	return append(bytes.TrimSuffix(body, []byte(",")), "}}"...)
}

// TestTooManyEntriesCostLittle: what is refused for the number of its entries
// is refused before anything is made of them.
func TestTooManyEntriesCostLittle(t *testing.T) {
	for name, tc := range map[string]struct {
		body []byte
		into func() any
		want string
	}{
		"items":       {list("items", "{}", maxItems+1), func() any { return new(wireBatch) }, "items: must hold at most 100000 items"},
		"specs":       {list("specs", "{}", maxItems+1), func() any { return new(wireBatch) }, "specs: must hold at most 100000 items"},
		"logins":      {list("logins", "{}", maxLogins+1), func() any { return new(wireBatch) }, "logins: must hold at most 200000 items"},
		"way":         {list("items", `{"via":[`+strings.Repeat("0,", maxNested)+`0]}`, 1), func() any { return new(wireBatch) }, "items[0].via: must hold at most 256 items"},
		"hosts":       {list("hosts", "{}", maxItems+1), func() any { return new(wireHosts) }, "hosts: must hold at most 100000 items"},
		"hosts at":    {list("hosts", "{}", maxItems+1), func() any { return new(wireAt) }, "hosts: must hold at most 100000 items"},
		"ids":         {list("instance_ids", `"i"`, maxItems+1), func() any { return new(wireIDs) }, "instance_ids: must hold at most 100000 items"},
		"other case":  {list("LOGINS", "{}", maxItems+1), func() any { return new(wireBatch) }, "LOGINS: must hold at most 100000 items"},
		"credentials": {credentials(maxItems + 1), func() any { return new(wireRefresh) }, "credentials: must hold at most 100000 items"},
		"spaced":      {[]byte(`{"logins":[],"items"` + strings.Repeat(" ", 1000) + `:[` + strings.Repeat("{},", maxItems) + `{}]}`), func() any { return new(wireBatch) }, "items: must hold at most 100000 items"},
		"all lists":   {list("specs", `{"packages":[`+strings.Repeat("{},", 100)+`{}]}`, 17_000), func() any { return new(wireBatch) }, "specs[15841].packages: is one of the lists in specs: they must hold at most 1600000 items together"},
		"deep":        {[]byte(strings.Repeat("[", 10_000)), func() any { return new(wireBatch) }, strings.Repeat("[0]", 16) + ": is nested more than 16 deep"},
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
	var b wireBatch
	require.NoError(t, decode(list("items", `{"invocation_id":"a,[{\",\\"}`, maxItems), &b))
	require.Len(t, b.Items, maxItems)
	require.Equal(t, `a,[{",\`, b.Items[maxItems-1].ID)
	require.NoError(t, decode(list("items", `{"host":{"via":[{},{},{},{},{},{},{},{}],"labels":{"a":"","b":"","c":"","d":""}},"via":[0,0,0,0,0,0,0,0]}`, maxItems), new(wireBatch)))
	var logins wireBatch
	require.NoError(t, decode(list("logins", `{}`, 2*maxItems), &logins))
	require.Len(t, logins.Logins, 2*maxItems)
	for _, broken := range []string{``, `{`, `}`, `{"a`, `{"a\`, `,`, `]]]],,,`} {
		require.ErrorContains(t, decode([]byte(broken), new(wireBatch)), "document: ", fmt.Sprint(broken))
	}
}
