package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// failing is a store of which nothing can be had, but that it knows every token.
type failing struct {
	plan.Store
	err error
}

func (f failing) Batches(context.Context, string, int) ([]installer.BatchHead, error) {
	return nil, f.err
}

func (f failing) Invocations(context.Context, installer.Filter) (installer.Page, error) {
	return installer.Page{}, f.err
}

func (f failing) KnownHost(context.Context, string, string) (installer.Host, error) {
	return installer.Host{}, f.err
}

func (f failing) CheckToken(context.Context, string) (installer.Principal, error) {
	return installer.Principal{Project: project, Kind: "token", Name: "x", Rights: installer.FullRights}, nil
}

func (f failing) Key(context.Context, string) (installer.Principal, installer.Secret, error) {
	return installer.Principal{}, installer.Secret{}, f.err
}

func (f failing) SeeSignature(context.Context, string, string, [32]byte, time.Time, bool) (bool, time.Duration, error) {
	return false, 0, f.err
}

// brokenTokens cannot look up tokens.
type brokenTokens struct{ failing }

func (b brokenTokens) CheckToken(context.Context, string) (installer.Principal, error) {
	return installer.Principal{}, b.err
}

// TestC13RetryAfterEverywhere: whoever is told to come again is told when, on
// every route, whatever it is that does not work just now.
func TestC13RetryAfterEverywhere(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{
		installer.ErrStorage, installer.ErrFull, context.DeadlineExceeded, context.Canceled,
		api.Refuse(http.StatusServiceUnavailable, api.CodeStorage, "not now"), api.Refuse(http.StatusTooManyRequests, api.CodeInvalidRequest, "not so many"),
	} {
		down := failing{err: fmt.Errorf("in a test: %w", cause)}
		route := api.Route{Method: http.MethodGet, Pattern: "/added", Handle: func(*api.Request) (any, error) { return nil, down.err }}
		r := newRig(t, func(c *api.Config) { c.Store, c.Access, c.Routes = down, down, []api.Route{route} })
		locked := newRig(t, func(c *api.Config) { c.Store, c.Access = down, brokenTokens{down} })
		for name, a := range map[string]answer{
			"healthz": r.send(http.MethodGet, "/healthz", ""),
			"list":    r.send(http.MethodGet, listing, ""),
			"create":  r.send(http.MethodPost, create, `{"invocation_type":"INSTALL","instance_ids":["i-1"]}`),
			"added":   r.send(http.MethodGet, "/added", ""),
			"signed":  r.send(http.MethodGet, listing, "", "X-Auth-Token", "", "X-Sdk-Date", sdkDate(time.Now()), "Authorization", signedBy("AK", fmt.Sprintf("%064d", 0))),
			"token":   locked.send(http.MethodGet, listing, ""),
		} {
			require.Contains(t, []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, a.status, "%s: %s: %s", cause, name, a.body)
			seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
			require.NoError(t, err, "%s: %s", cause, name)
			require.Positive(t, seconds, "%s: %s", cause, name)
		}
	}
}
