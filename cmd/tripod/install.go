package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/store"
)

// deployFlags are of install and update.
type deployFlags struct {
	targetFlags
	specFlags
	runFlags
	outputFlag
	DryRun bool `help:"Read and check everything, print what would be done, dial nothing."`
}

type installCmd struct{ deployFlags }

// Help is shown by `tripod install --help`.
func (installCmd) Help() string {
	return `Examples:
  tripod install -f hosts.txt --package telescope_linux_amd64.tar.gz --ask-pass
  tripod install -f iplist.txt --package telescope_linux_amd64.tar.gz   # IP,password lines
  tripod install --via ops@bastion --via-identity ~/.ssh/bastion -i ~/.ssh/fleet \
      --script setup.sh 10.0.0.[1-50]

Ctrl-C stops cleanly; the same command goes on with what is unfinished.`
}

// Run installs.
func (c *installCmd) Run(ctx context.Context, a *app) error {
	return c.deploy(ctx, a, installer.Install)
}

// deploy does the task on all hosts. Everything that can be wrong with the input
// is told before anything is dialled or stored.
func (c *deployFlags) deploy(ctx context.Context, a *app, task installer.Type) error {
	p, files, err := c.plan(ctx, a)
	if err != nil {
		return err
	}
	p.task = task
	if p.maxFailures, err = c.failureLimit(len(p.entries)); err != nil {
		return err
	}
	if c.DryRun {
		if err := a.lookUp(ctx, &p); err != nil {
			return err
		}
		workers, err := a.parallel(c.Parallel)
		if err != nil {
			return err
		}
		return a.showPlan(p, c.Output, workers)
	}
	e, err := c.openEngine(ctx, a, c.knownHosts())
	if err != nil {
		return err
	}
	return e.closing(func() error {
		if err := files.store(ctx, e.client.PutBlob, &p.spec); err != nil {
			return err
		}
		if err := adoptKnown(ctx, e.client, a.project, p.entries); err != nil {
			return err
		}
		if err := keepEditions(ctx, e.client, a.project, &p); err != nil {
			return err
		}
		batchID, err := e.submitOrResume(ctx, p)
		if err != nil {
			return err
		}
		how, err := e.runBatch(ctx, installer.ClaimFilter{BatchID: batchID}, p.maxFailures)
		if err != nil {
			return err
		}
		return e.showBatch(ctx, c.Output, how, batchID)
	})
}

// lookUp is for a plan that nobody stores: what is known of its hosts, if anything.
func (a *app) lookUp(ctx context.Context, p *plan) error {
	err := a.look(ctx, func(from *control.Client) error {
		if err := adoptKnown(ctx, from, a.project, p.entries); err != nil {
			return err
		}
		return keepEditions(ctx, from, a.project, p)
	})
	if errors.Is(err, store.ErrNoState) {
		return nil
	}
	return err
}

// plan reads the hosts and the files, and tells all faults at once.
func (c *deployFlags) plan(ctx context.Context, a *app) (plan, content, error) {
	files, filesErr := c.inspect()
	spec, specErr := c.complete(ctx, a, files)
	var faults installer.Faults
	for _, err := range []error{filesErr, specErr} {
		if found, ok := errors.AsType[installer.Faults](err); ok {
			faults = append(faults, found...)
		} else if err != nil {
			return plan{}, files, err
		}
	}
	hosts, err := c.read(ctx, a)
	if found, ok := errors.AsType[installer.Faults](err); ok {
		faults = append(faults, found...)
	} else if err != nil {
		return plan{}, files, err
	}
	p := plan{targets: hosts, spec: spec}
	p.catalogued = spec.Script == nil && spec.Online == nil && len(c.Package) == 0 && spec.VersionType == ""
	return p, files, faults.Err()
}

// submitOrResume stores the plan as a batch, or goes on with the unfinished
// batch of the same work, with the credentials of now.
func (e *engine) submitOrResume(ctx context.Context, p plan) (string, error) {
	fingerprint, err := p.fingerprint()
	if err != nil {
		return "", err
	}
	head, found, err := e.client.OpenBatch(ctx, e.app.project, fingerprint)
	if err != nil {
		return "", err
	}
	if !found {
		if err := e.mentionUnfinished(ctx); err != nil {
			return "", err
		}
		b := p.batch(time.Now(), fingerprint)
		return b.ID, keptGone(e.submit(ctx, b, p.inherit(b)))
	}
	invs, err := batchInvocations(ctx, e.client, head.ID)
	if err != nil {
		return "", err
	}
	if err := e.client.RefreshCredentials(ctx, e.app.project, head.ID, p.credentialsFor(invs)); err != nil {
		return "", err
	}
	e.app.notef("going on with batch %s of %s: %d of %d are done and are not touched again",
		head.ID, head.Created.Local().Format(time.DateTime), head.Total-head.Open, head.Total)
	return head.ID, nil
}

// mentionUnfinished reminds of other work that was interrupted: a command that
// differs in a flag does not go on with it.
func (e *engine) mentionUnfinished(ctx context.Context) error {
	const newest = 20
	heads, err := e.client.Batches(ctx, e.app.project, newest)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if h.Open > 0 {
			e.app.notef("note: batch %s (%s) has %d unfinished hosts: %s, or: %s",
				h.ID, h.Source, h.Open, e.app.again("retry", h.ID), e.app.again("cancel", h.ID))
		}
	}
	return nil
}

// credentialsFor maps the plan's credentials to the unfinished invocations.
func (t targets) credentialsFor(invs []installer.Invocation) map[string]installer.Credentials {
	byHost := make(map[string]installer.Credentials, len(t.entries))
	for _, e := range t.entries {
		byHost[e.Host.ID] = e.Credentials
	}
	creds := map[string]installer.Credentials{}
	for i := range invs {
		if c, ok := byHost[invs[i].Host.ID]; ok && !invs[i].State.Terminal() {
			creds[invs[i].ID] = c
		}
	}
	return creds
}

// showPlan is --dry-run: what would be done, as a table or as JSON.
func (a *app) showPlan(p plan, format string, workers int) error {
	text, err := p.render(format)
	if err != nil {
		return err
	}
	for _, e := range p.entries {
		for _, pkg := range p.packages[e.Host.ID] {
			how := "keeps"
			if has := p.editions[e.Host.ID]; pkg.Edition != has {
				how = "has the " + editionWord(has) + " edition and gets"
			}
			a.notef("%s %s the %s edition: %s (%s %s)", e.Host.Label(), how, editionWord(pkg.Edition), pkg.Name, pkg.Arch, pkg.Version)
		}
	}
	a.notef("dry run: nothing was dialled; %d hosts, %d at once", len(p.entries), min(workers, len(p.entries)))
	return a.print(text)
}

// what describes the work in a line.
func (p plan) what() string {
	if p.spec.Script != nil {
		return fmt.Sprintf("run %s (sha256 %.12s) for target %s", p.spec.Script.Name, p.spec.Script.SHA256, p.spec.Target)
	}
	s := strings.ToLower(string(p.task)) + " " + p.spec.Target
	if p.spec.Version != "" {
		s += " " + p.spec.Version
	}
	for _, pkg := range p.spec.Packages {
		s += fmt.Sprintf(", %s (%s %s, sha256 %.12s)", pkg.Name, pkg.Arch, pkg.Version, pkg.SHA256)
	}
	if p.spec.Online != nil {
		s += fmt.Sprintf(", downloaded by each host from %s for region %s", p.spec.Online.URL, p.spec.Online.Region)
	}
	return s
}
