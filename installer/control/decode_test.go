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
		"items":       {list("items", "{}", maxItems+1), func() any { return new(wireBatch) }, "items: has more than 20000 entries"},
		"specs":       {list("specs", "{}", maxItems+1), func() any { return new(wireBatch) }, "specs: has more than 20000 entries"},
		"logins":      {list("logins", "{}", maxLogins+1), func() any { return new(wireBatch) }, "logins: has more than 200000 entries"},
		"way":         {list("items", `{"via":[`+strings.Repeat("0,", maxNested)+`0]}`, 1), func() any { return new(wireBatch) }, "items: has more than 256 entries"},
		"hosts":       {list("hosts", "{}", maxItems+1), func() any { return new(wireHosts) }, "hosts: has more than 20000 entries"},
		"hosts at":    {list("hosts", "{}", maxItems+1), func() any { return new(wireAt) }, "hosts: has more than 20000 entries"},
		"ids":         {list("instance_ids", `"i"`, maxItems+1), func() any { return new(wireIDs) }, "instance_ids: has more than 20000 entries"},
		"other case":  {list("LOGINS", "{}", maxItems+1), func() any { return new(wireBatch) }, "body: has more than 20000 entries"},
		"credentials": {[]byte(`{"credentials":{` + strings.Repeat(`"a":{},`, maxItems) + `"b":{}}}`), func() any { return new(wireRefresh) }, "credentials: has more than 20000 entries"},
		"spaced":      {[]byte(`{"logins":[],"items"` + strings.Repeat(" ", 1000) + `:[` + strings.Repeat("{},", maxItems) + `{}]}`), func() any { return new(wireBatch) }, "items: has more than 20000 entries"},
		"all lists":   {list("specs", `{"packages":[`+strings.Repeat("{},", 100)+`{}]}`, 10_000), func() any { return new(wireBatch) }, "specs: has more than 1000000 entries in its lists"},
		"deep":        {[]byte(strings.Repeat("[", 10_000)), func() any { return new(wireBatch) }, "body: is nested more than 16 deep"},
	} {
		into := tc.into()
		var err error
		allocs := testing.AllocsPerRun(3, func() { err = decode(tc.body, into) })
		_, ok := err.(installer.Faults)
		require.True(t, ok, "%s: %v", name, err)
		require.EqualError(t, err, tc.want, name)
		assert.Less(t, allocs, 20.0, name)
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
