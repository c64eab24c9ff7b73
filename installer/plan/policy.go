package plan

import (
	"context"
	"net/netip"

	"tripod/installer"
)

// denied asks the target policy about the host's address, and about the one that is
// dialled first on the way there.
func (p *Planner) denied(h installer.Host) *Refusal {
	addresses := []string{h.Address}
	if len(h.Via) > 0 {
		addresses = append(addresses, h.Via[0].Address)
	}
	for _, address := range addresses {
		addr, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		if err := p.Policy(addr); err != nil {
			return refuse(PolicyDenied, string(installer.KindPolicyDenied)+": "+err.Error())
		}
	}
	return nil
}

// noteDenied puts what the policy refused into the audit log, all in one entry.
func (p *Planner) noteDenied(ctx context.Context, plan *Plan) error {
	var hosts []installer.AuditHost
	var why string
	for _, item := range plan.Items {
		if item.Refused == nil || item.Refused.Reason != PolicyDenied {
			continue
		}
		if hosts = append(hosts, installer.AuditHostOf(item.Invocation.Host)); why == "" {
			why = item.Refused.Msg
		}
	}
	if p.Denials == nil || len(hosts) == 0 {
		return nil
	}
	return p.Denials.NoteDenied(ctx, plan.Project, plan.Task, hosts, why)
}
