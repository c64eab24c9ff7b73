package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestTooManyEntriesCostLittle: a list of two megabytes is read as far as it
// may be long.
func TestTooManyEntriesCostLittle(t *testing.T) {
	list := func(field, item string) []byte {
		return []byte(`{"invocation_type":"INSTALL","` + field + `":[` + strings.Repeat(item+",", 200_000) + item + `]}`)
	}
	for _, tc := range []struct {
		body   []byte
		decode func([]byte) error
		want   string
		most   float64 // allocations
	}{
		{list("instance_ids", `"i"`), api.DecodeCreate, "instance_ids: must hold at most 100 items", 300},
		{list("invocation_ids", `"i"`), api.DecodeCreate, "invocation_ids: must hold at most 100 items", 300},
		{list("remote_install_meta", `{}`), api.DecodeCreate, "remote_install_meta: must hold at most 100 items", 300},
		{list("instance_ids", `"i"`), api.DecodeStatus, "instance_ids: must hold at most 2000 items", 4500},
		{list("unknown", `1`), api.DecodeCreate, "has more than 10000 values", 25_000},
	} {
		var err error
		allocs := testing.AllocsPerRun(3, func() { err = tc.decode(tc.body) })
		require.ErrorContains(t, err, tc.want)
		assert.Less(t, allocs, tc.most, tc.want)
	}
	// Whoever sends fields that are not known yet is not held to these lengths.
	require.NoError(t, api.DecodeCreate([]byte(`{"invocation_type":"INSTALL","instance_ids":["i"],"new":[`+strings.Repeat("1,", 500)+`1]}`)))
}

// TestKeyTwiceInALongBody: what is read once more, to tell of every key, counts once.
func TestKeyTwiceInALongBody(t *testing.T) {
	t.Parallel()
	err := api.DecodeStatus([]byte(`{"instance_ids":["i"],"new":[` + strings.Repeat("1,", 6000) + `1],"a":{"b":1,"b":2},"instance_ids":["i"]}`))
	require.EqualError(t, err, "a.b: the key is there twice\ninstance_ids: the key is there twice")
}
