package api

import "tripod/installer"

// noteDenied notes, before anything is answered, what the target policy refused
// of a request: once, however often the request is planned anew.
func (s service) noteDenied(c *call, kind installer.Type, plan []planned) error {
	if s.Denials == nil || c.denied {
		return nil
	}
	var hosts []installer.AuditHost
	var why string
	for _, p := range plan {
		if p.refused == nil || p.refused.code != ItemPolicyDenied {
			continue
		}
		if hosts = append(hosts, installer.AuditHostOf(p.inv.Host)); why == "" {
			why = p.refused.msg
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	c.denied = true
	return s.Denials.NoteDenied(c.Context(), c.project, kind, hosts, why)
}
