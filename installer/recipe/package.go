package recipe

import (
	"cmp"
	"strconv"
	"strings"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

const (
	smallestRoom = 1 << 10 // KiB; whatever is to be done
	packageGrows = 4       // an unpacked archive and the copies of it
)

func (w *work) needKiB() int64 {
	var largest int64
	for _, p := range w.inv.Spec.Packages {
		largest = max(largest, p.Size)
	}
	need := smallestRoom + largest>>10*packageGrows
	if s := w.inv.Spec.Script; s != nil {
		need += s.Size>>10 + 1
	}
	for _, f := range w.inv.Spec.Send { // the run has a copy of its own
		need += 2*f.Size>>10 + 2
	}
	return need
}

// blobArgs names what may have to be uploaded: SHA-256:ARCH, by comma.
func (w *work) blobArgs() string {
	var all []string
	switch w.kind {
	case script:
		for _, f := range w.scriptFiles() {
			all = append(all, f.SHA256+":any")
		}
	case agent:
		for _, p := range w.inv.Spec.Packages {
			all = append(all, p.SHA256+":"+cmp.Or(p.Arch, "any"))
		}
	}
	return strings.Join(all, ",")
}

// version is the one that the agent must have in the end; empty: any.
func (w *work) version() string {
	switch w.kind {
	case restore:
		return w.inv.Spec.Restore
	case remove:
		return ""
	}
	return w.inv.Spec.Version
}

// wanted are the versions of the agent with which a healthy host needs no work, as
// ARCH:VERSION by comma, or what else do_probe knows. Empty: the agent is not looked at.
func (w *work) wanted() string {
	spec := w.inv.Spec
	switch {
	case w.kind == script || w.kind == jumpHost:
		return ""
	case spec.Script != nil: // a check for somebody who will run a script
		return ""
	case w.kind == remove && w.inv.Spec.Purge:
		return "purged"
	case w.inv.Task() == installer.Uninstall:
		return "absent"
	case w.kind == remove:
		return "none"
	case w.inv.Task() == installer.Configure:
		return "any"
	case w.version() != "":
		return "all:" + w.version()
	case len(spec.Packages) == 0 && w.inv.Task() == installer.Update && w.kind != checkOnly:
		return "none" // the newest one, and which that is, is not known here
	case len(spec.Packages) == 0:
		return "any"
	}
	var all []string
	for _, p := range spec.Packages {
		if p.Version != "" {
			all = append(all, cmp.Or(p.Arch, "all")+":"+p.Version)
		}
	}
	return cmp.Or(strings.Join(all, ","), "none")
}

func (w *work) choosePackage() error {
	for i := range w.inv.Spec.Packages {
		p := &w.inv.Spec.Packages[i]
		if p.Arch != "" && p.Arch != w.found.arch {
			continue
		}
		if want := w.inv.Spec.Version; want != "" && p.Version != "" && p.Version != want {
			continue
		}
		w.pkg = p
		return nil
	}
	what := "for " + w.shown(w.found.arch, 20)
	if v := w.inv.Spec.Version; v != "" {
		what += " of version " + v
	}
	return installer.Fail(installer.KindPackageMissing, "no package %s was given", what)
}

// chooseKept takes the folder of the version to go back to, if nothing but what is
// to be undone has replaced that.
func (w *work) chooseKept() error {
	var others []string
	var later string
	undone := w.inv.Spec.Undoes.RunID
	for _, k := range w.found.kept {
		if k.version == w.inv.Spec.Restore {
			if undone == "" || k.by == "" || k.by == undone {
				w.kept = k.dir
				return nil
			}
			later = k.by
		}
		others = append(others, w.shown(k.version, 64))
	}
	if later != "" {
		return installer.Fail(installer.KindSuperseded, "version %s was replaced by a later task since, %s", w.inv.Spec.Restore, w.shown(later, 64))
	}
	what := "none is"
	if len(others) > 0 {
		what = strings.Join(others, " and ") + " is"
	}
	return installer.Fail(installer.KindNotKept, "version %s is not kept on the host (%s)", w.inv.Spec.Restore, what)
}

// checkUndone is for a ROLLBACK that uninstalls: the host must still have what the
// invocation has left that is undone.
func (w *work) checkUndone() error {
	left, there := w.inv.Spec.Undoes.Version, w.found.agent["version"]
	if left == "" || there == "" || left == there || left == installer.VersionUnknown || there == installer.VersionUnknown {
		return nil
	}
	return installer.Fail(installer.KindSuperseded, "version %s was replaced since: %s is there now", left, w.shown(there, 64))
}

// settings is the agent's settings file, without what only the host knows; of a user's script, what is run before it.
func (w *work) settings() string {
	if w.kind == script {
		return w.scriptStart()
	}
	text := "TRIPOD_VERSION=" + hostshell.Quote(w.version()) + "\n"
	switch from := w.inv.Spec.Online; {
	case w.kind == remove:
		text += "TRIPOD_ABSENT=yes\n"
		if w.inv.Task() == installer.Rollback {
			text += "TRIPOD_LEAVE_ELSEWHERE=yes\n"
		}
		if w.inv.Spec.Purge {
			text += "TRIPOD_PURGE=yes\n"
		}
	case w.kind == online:
		text += onlineSettings(*from)
	}
	if w.configures() {
		text += w.configuration()
	}
	if w.inv.Spec.RequireReporting && (w.kind.brings() || w.kind == configure) {
		text += "TRIPOD_REQUIRE_REPORTING=yes\n"
	}
	return text + w.AgentSettings
}

// configures: the task says something of the agent's configuration, of its keys at least.
func (w *work) configures() bool {
	return (w.kind.brings() || w.kind == configure) && (w.inv.Spec.Agent != nil || !w.job.Credentials.Agent.IsZero())
}

// configuration are the settings that become the agent's configuration. A region takes the place of that
// of the online installation: the agent and its installer have one.
func (w *work) configuration() string {
	config, keys := cmp.Or(w.inv.Spec.Agent, &installer.AgentConfig{}), w.job.Credentials.Agent
	bms := ""
	if config.BMS != nil {
		bms = strconv.FormatBool(*config.BMS)
	}
	return assignments([]setting{
		{"TRIPOD_REGION", config.Region}, {"TRIPOD_ENDPOINT", config.Endpoint}, {"TRIPOD_PROJECT_ID", config.ProjectID},
		{"TRIPOD_INSTANCE_ID", config.InstanceID}, {"TRIPOD_BMS", bms},
		{"TRIPOD_ACCESS_KEY", keys.AccessKey.Reveal()}, {"TRIPOD_SECRET_KEY", keys.SecretKey.Reveal()},
	})
}

func onlineSettings(from installer.Online) string {
	insecure := ""
	if from.Insecure {
		insecure = "yes"
	}
	return assignments([]setting{
		{"TRIPOD_ONLINE_URL", from.URL}, {"TRIPOD_ONLINE_SCRIPT", from.Script}, {"TRIPOD_REGION", from.Region},
		{"TRIPOD_ONLINE_UNIAGENT", from.UniagentVersion}, {"TRIPOD_ONLINE_DOMAIN", from.Domain},
		{"TRIPOD_ONLINE_OBS", from.OBSDomain}, {"TRIPOD_ONLINE_INSECURE", insecure},
	})
}

type setting struct{ name, value string }

// assignments are those of the settings that have a value.
func assignments(settings []setting) (text string) {
	for _, s := range settings {
		if s.value != "" {
			text += s.name + "=" + hostshell.Quote(s.value) + "\n"
		}
	}
	return text
}

func (w *work) hostFiles(all []string) []string {
	if w.wanted() != "" {
		return all
	}
	return hostshell.WithoutAgent(all)
}
