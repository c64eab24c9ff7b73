package control

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
	"tripod/installer/strictjson"
)

// list is a body with n entries in one of its lists.
func list(key, entry string, n int) []byte {
	return []byte(`{"` + key + `":[` + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + `]}`)
}

// TestTooManyEntriesCostLittle: what is refused for the number of its entries
// is refused before anything is made of them.
func TestTooManyEntriesCostLittle(t *testing.T) {
	request, entries, names := tooBig[plan.Request], tooBig[HostEntries], tooBig[IDs]
	for name, tc := range map[string]struct {
		body []byte
		into func(*testing.T, []byte) error
		want string
	}{
		"of":         {list("of", `"i"`, maxItems+1), request, "of: must hold at most 100000 items"},
		"secrets":    {list("secrets", `""`, maxSecrets+1), request, "secrets: must hold at most 800000 items"},
		"route":      {list("hosts", `{"via":[`+strings.Repeat("0,", maxNested)+`0]}`, 1), request, "hosts[0].via: must hold at most 256 items"},
		"hosts":      {list("hosts", "{}", maxItems+1), entries, "hosts: must hold at most 100000 items"},
		"ids":        {list("instance_ids", `"i"`, maxItems+1), names, "instance_ids: must hold at most 100000 items"},
		"other case": {list("SECRETS", `""`, maxItems+1), request, "SECRETS: must hold at most 100000 items"},
		"spaced":     {[]byte(`{"secrets":[],"hosts"` + strings.Repeat(" ", 1000) + `:[` + strings.Repeat("{},", maxItems) + `{}]}`), request, "hosts: must hold at most 100000 items"},
		"all lists":  {list("hosts", `{"via":[`+strings.Repeat("0,", 100)+`0]}`, 17_000), request, "hosts[15841].via: is one of the lists in hosts: they must hold at most 1600000 items together"},
		"deep":       {[]byte(strings.Repeat("[", 10_000)), request, strings.Repeat("[0]", 16) + ": is nested more than 16 deep"},
	} {
		require.Error(t, tc.into(t, []byte("["))) // what is made once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := tc.into(t, tc.body)
		runtime.ReadMemStats(&after)
		_, ok := err.(installer.Faults)
		require.True(t, ok, "%s: %v", name, err)
		require.EqualError(t, err, tc.want, name)
		assert.Less(t, after.Mallocs-before.Mallocs, uint64(60), name)
	}
}

// tooBig decodes what is refused: nothing was made of it.
func tooBig[In any](t *testing.T, body []byte) error {
	in, err := decode[In](body)
	assert.Equal(t, *new(In), in)
	return err
}

// TestAsManyEntriesAsAllowed: commas and brackets in strings are none.
func TestAsManyEntriesAsAllowed(t *testing.T) {
	b, err := decode[plan.Request](list("of", `"a,[{\",\\"`, maxItems))
	require.NoError(t, err)
	require.Len(t, b.Of, maxItems)
	require.Equal(t, `a,[{",\`, b.Of[maxItems-1])
	_, err = decode[plan.Request](list("secrets", `"s"`, maxSecrets))
	require.NoError(t, err)
	for _, most := range []strictjson.Item{
		{Depth: 2, Field: "hosts", N: maxItems}, {Depth: 4, Field: "hosts", N: maxNested},
		// Each host with as many hops and logins of theirs as it may have.
		{Depth: 4, Field: "hosts", N: installer.MaxHops, Nested: 2 * installer.MaxHops * maxItems},
	} {
		require.Empty(t, tooMany(most))
	}
	_, err = decode[plan.Request](list("hosts", `{"host":{"via":[{},{},{},{},{},{},{},{}],"labels":{"a":"","b":"","c":"","d":""}},"credentials":{"via":[{},{},{},{},{},{},{},{}]}}`, 100))
	require.NoError(t, err)
	for _, broken := range []string{``, `{`, `}`, `{"a`, `{"a\`, `,`, `]]]],,,`} {
		_, err := decode[plan.Request]([]byte(broken))
		require.ErrorContains(t, err, "document: ", broken)
	}
}
