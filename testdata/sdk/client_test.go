package sdk

import (
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	ces "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/ces/v3"
	"github.com/stretchr/testify/require"
)

// tokenCredential makes the SDK send X-Auth-Token, which it has no credential
// of its own for.
type tokenCredential struct{ project, token string }

func (c tokenCredential) ProcessAuthParams(*impl.DefaultHttpClient, string) (auth.ICredential, error) {
	return c, nil
}

func (c tokenCredential) ProcessAuthRequest(_ *impl.DefaultHttpClient, req *request.DefaultHttpRequest) (*request.DefaultHttpRequest, error) {
	return req.Builder().
		AddAutoFilledPathParam("project_id", c.project).
		AddHeaderParam("X-Auth-Token", c.token).
		Build(), nil
}

// withToken is the SDK's client with a token.
func (d *daemon) withToken(project, token string) *ces.CesClient {
	d.t.Helper()
	hc, err := ces.CesClientBuilder().
		WithCredentialsType("sdk.tokenCredential").
		WithCredential(tokenCredential{project, token}).
		WithEndpoint(d.url).
		WithHttpConfig(httpConfig()).
		SafeBuild()
	require.NoError(d.t, err)
	return ces.NewCesClient(hc)
}

// withKey is the SDK's client as everybody uses it: AK/SK, each request signed.
func (d *daemon) withKey(project string, k accessKey) *ces.CesClient {
	d.t.Helper()
	credentials, err := basic.NewCredentialsBuilder().WithAk(k.access).WithSk(k.secret).WithProjectId(project).SafeBuild()
	require.NoError(d.t, err)
	hc, err := ces.CesClientBuilder().
		WithCredential(credentials).
		WithEndpoint(d.url).
		WithHttpConfig(httpConfig()).
		SafeBuild()
	require.NoError(d.t, err)
	return ces.NewCesClient(hc)
}

func httpConfig() *config.HttpConfig {
	return config.DefaultHttpConfig().WithTimeout(patience)
}

// accessKey is what `tripod keys add` prints.
type accessKey struct{ access, secret string }

// ptr is for the SDK, whose optional fields are pointers.
func ptr[T any](v T) *T { return &v }

// value reads one, and says which is missing.
func value[T any](t *testing.T, what string, p *T) T {
	t.Helper()
	require.NotNil(t, p, what)
	return *p
}
