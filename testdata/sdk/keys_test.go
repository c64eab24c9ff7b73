package sdk

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeys: who signs is let in as far as the key goes, and no further.
func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	full, read := r.key("full"), r.key("read", "--rights", "read")
	d := r.serve()
	create := &model.BatchCreateAgentInvocationsRequest{Body: &taskRequest{
		InvocationType: types.SET_REMOTE_INSTALLER, InstanceIds: &[]string{"nobody-knows-it"},
	}}

	for name, tc := range map[string]struct {
		project string
		key     accessKey
		status  int
		code    string
	}{
		"a wrong secret key":     {project, accessKey{full.access, full.secret + "x"}, http.StatusUnauthorized, "ces.0015"},
		"another's secret key":   {project, accessKey{full.access, read.secret}, http.StatusUnauthorized, "ces.0015"},
		"an unknown access key":  {project, accessKey{"N" + full.access[1:], full.secret}, http.StatusUnauthorized, "ces.0015"},
		"another project":        {strings.Repeat("f", 32), full, http.StatusForbidden, "ces.0017"},
		"not enough of a right":  {project, read, http.StatusForbidden, "ces.0017"},
		"a malformed access key": {project, accessKey{strings.Repeat("A", 300), full.secret}, http.StatusUnauthorized, "ces.0015"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.withKey(tc.project, tc.key).BatchCreateAgentInvocations(create)
			refused(t, err, tc.status, tc.code)
		})
	}

	c := client{t, d.withKey(project, full)}
	require.Equal(t, retStatuses.ERROR, *c.create(*create.Body)[0].RetStatus)
	// The SDK's date has whole seconds: looking twice within one gives the same
	// signature, and must not look like an attack.
	c = client{t, d.withKey(project, read)}
	for begun := time.Now(); time.Since(begun) < 300*time.Millisecond; {
		_, count := c.list(query{})
		assert.Zero(t, count)
		c.statuses(statusQuery{InstanceIds: []string{"i-1"}})
	}
}
