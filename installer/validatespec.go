package installer

import (
	"path"
	"regexp"
	"slices"
	"time"
)

var (
	targetForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	versionForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{0,64}$`)
	archForm    = regexp.MustCompile(`^[a-z0-9]{0,16}$`)
	wordForm    = regexp.MustCompile(`^[A-Z_]{0,32}$`)
)

// Bounds of a spec.
const (
	longestRun  = 24 * time.Hour
	maxPackages = 64
)

// Validate tells all that is wrong with the spec.
func (s *Spec) Validate(at At) Faults {
	v := validation{at: at}
	form := func(field, text string, form *regexp.Regexp, rule string) {
		if !form.MatchString(text) {
			v.fault(field, "%s", rule)
		}
	}
	const versionRule = "must be 0–64 letters, digits, '_', '.' and '-'"
	const wordRule = "must be 0–32 capital letters and '_'"
	form("target", s.Target, targetForm, "must be 1–32 of a-z 0-9 -, a letter or digit first")
	form("version", s.Version, versionForm, versionRule)
	form("restore", s.Restore, versionForm, versionRule)
	form("version_type", s.VersionType, wordForm, wordRule)
	form("origin", s.Origin, wordForm, wordRule)
	form("task", string(s.Task), wordForm, wordRule)
	if s.RunTimeout < 0 || s.RunTimeout > longestRun {
		v.fault("run_timeout", "must be 0 to %s", longestRun)
	}
	oneOf(&v, "host_keys", s.HostKeys, AcceptNew, Strict, Insecure)
	if s.Online != nil {
		if err := s.Online.CheckURL(); err != nil {
			v.fault("online.url", "%v", err)
		}
		if err := s.Online.CheckRegion(); err != nil {
			v.fault("online.region", "%v", err)
		}
	}
	files := s.Files()
	if len(files) > maxPackages {
		v.fault("packages", "are more than %d", maxPackages)
		return v.Faults
	}
	for _, ref := range files {
		form("arch", ref.Arch, archForm, "must be 0–16 of a-z 0-9")
		form("package_version", ref.Version, versionForm, versionRule)
		form("edition", string(ref.Edition), wordForm, wordRule)
		form("sha256", ref.SHA256, SHA256Form, "must be 64 hexadecimal digits")
		switch {
		case TextFault(ref.Name) != "":
			v.fault("name", "%s", TextFault(ref.Name))
		case ref.Name == "" || path.Base(ref.Name) != ref.Name:
			v.fault("name", "must be a file's name, without folders")
		}
	}
	return v.Faults
}

// Files are the packages and the script.
func (s *Spec) Files() []BlobRef {
	files := slices.Clone(s.Packages)
	if s.Script != nil {
		files = append(files, *s.Script)
	}
	return files
}
