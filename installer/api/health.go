package api

import (
	"context"
	"time"

	"tripod/installer"
)

// Health is the answer of GET /healthz.
type Health struct {
	Status string `json:"status"` // "ok"; anything else comes as an error
}

// healthWait is short: who asks wants to know now.
const healthWait = 2 * time.Second

// health needs no token and tells nothing but whether the state can be read.
func (s service) health(c *call) (any, error) {
	ctx, cancel := context.WithTimeout(c.Context(), healthWait)
	defer cancel()
	if _, err := s.Ledger.Batches(ctx, installer.DefaultProject, 1); err != nil {
		return nil, err
	}
	return Health{Status: "ok"}, nil
}
