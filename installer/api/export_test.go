package api

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"tripod/installer"
	"tripod/installer/api/limits"
)

// DecodeCreate is decodeCreate, for the tests of the whole package.
func DecodeCreate(body []byte) error {
	_, err := decodeCreate(body)
	return err
}

// DecodeStatus is decodeStatus.
func DecodeStatus(body []byte) error {
	_, err := decodeStatus(body)
	return err
}

// RouteOf is what a test sees of a route.
type RouteOf struct {
	Method, Pattern string
	Open            bool
	Success         int
	// Reads: read rights are enough.
	Reads bool
}

// Routes is the table that h serves.
func Routes(h http.Handler) (all []RouteOf) {
	for _, r := range h.(*handler).table {
		all = append(all, RouteOf{r.Method, r.Pattern, r.open, r.success(), r.Rights == installer.ReadRights})
	}
	return all
}

// The codes of items.
const (
	ItemUnknownInstance           Code = "invocationmgr.0001"
	ItemPolicyDenied              Code = "invocationmgr.0002"
	ItemCredentialMissing         Code = "invocationmgr.0003"
	ItemUnknownJumpHost           Code = "invocationmgr.0004"
	ItemJumpHostCredentialMissing Code = "invocationmgr.0005"
	ItemPackageMissing            Code = "invocationmgr.0006"
	ItemUnknownInvocation         Code = "invocationmgr.0007"
	ItemNotAllowed                Code = "invocationmgr.0008"
	ItemUnderWay                  Code = "invocationmgr.0009"
)

// ErrorTable and ItemCodes are the two halves of the table of codes.
func ErrorTable() []CodeInfo { return Codes[:len(Codes)-len(ItemCodes())] }

func ItemCodes() []CodeInfo {
	return Codes[slices.IndexFunc(Codes, func(row CodeInfo) bool { return row.Status == 0 }):]
}

// Parameters are the names of the list's query parameters.
func Parameters() (names []string) {
	for _, p := range parameters {
		names = append(names, p.name)
	}
	return names
}

// UniagentOf is uniagentOf.
var UniagentOf = uniagentOf

// MaxBody is maxBody.
const MaxBody = maxBody

// ServerLimits is serverLimits.
type ServerLimits = serverLimits

// Limited is c with limits; those that are zero are the usual ones.
func Limited(c ServerConfig, l ServerLimits) ServerConfig {
	d := defaultLimits
	c.limits = &ServerLimits{
		cmp.Or(l.Header, d.Header), cmp.Or(l.Read, d.Read), cmp.Or(l.Write, d.Write), cmp.Or(l.Idle, d.Idle),
		cmp.Or(l.Login, d.Login), cmp.Or(l.ShutdownGrace, d.ShutdownGrace), cmp.Or(l.Conns, d.Conns),
	}
	return c
}

// TLS is what Serve's listener is set up with.
func TLS(c ServerConfig) (*tls.Config, error) { return c.tls() }

// BuiltServer is the server that Serve runs with the limits.
func BuiltServer(l ServerLimits) (srv *http.Server, used ServerLimits) {
	c := Limited(ServerConfig{Logger: slog.Default()}, l)
	return c.server(nil), *c.limits
}

// Enums are the words of the API, by what the documentation calls them.
var Enums = map[string][]string{
	"Type": plain(types), "Target": targets, "InstanceType": plain(instanceTypes), "Status": plain(states),
	"UniagentStatus": plain(uniagentStates), "ExtensionStatus": plain(agentStates),
}

func plain[T ~string](words []T) (all []string) {
	for _, w := range words {
		all = append(all, string(w))
	}
	return all
}

// QuarterRoom leaves a quarter of the budget, which takes a quarter of the clients to use up.
func QuarterRoom(h http.Handler) {
	h.(*handler).budget = &limits.Budget{Strangers: limits.NewStrangers(8 << 20), Small: limits.NewQuota(12 << 20), Large: limits.NewQuota(48 << 20)}
}

// RoomWait sets how long a request waits for its part of the budget.
func RoomWait(h http.Handler, d time.Duration) {
	b := h.(*handler).budget
	b.Small.Wait, b.Large.Wait = d, d
}

// RoomHeld is how much of the budget requests have, in bytes.
func RoomHeld(h http.Handler) int64 {
	b := h.(*handler).budget
	return b.Strangers.Held() + b.Small.Lent() + b.Large.Lent()
}
