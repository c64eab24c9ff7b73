package pkgfile

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// scan gathers what the entries of an archive tell.
type scan struct {
	info    Info
	entries int
	files   map[string]bool // regular files by clean path
	// By path, for each candidate: the program's architecture ("" if it is no
	// ELF program), and whether an install.sh knows the new layout.
	elf     map[string]string
	newer   map[string]bool
	release string
}

// entry checks one entry and looks at its content where that tells something.
func (s *scan) entry(h *tar.Header, content io.Reader) error {
	if s.entries++; s.entries > maxEntries {
		return refuse("it has more than %d entries", maxEntries)
	}
	name, err := safePath(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeSymlink, tar.TypeLink:
		return checkLink(name, h.Linkname)
	case tar.TypeReg:
	default:
		return refuse("%s is neither file, folder nor link", quote(name))
	}
	if h.Size < 0 || h.Size > maxUnpacked-s.info.Unpacked {
		return refuse("it unpacks to more than %d MiB", maxUnpacked>>20)
	}
	s.info.Unpacked += h.Size
	s.files[name] = true
	return s.look(name, content)
}

// look reads what is known to tell something.
func (s *scan) look(name string, content io.Reader) error {
	depth := strings.Count(name, "/")
	base := path.Base(name)
	switch {
	case base == "telescope" && path.Base(path.Dir(name)) == "bin" && depth <= 2:
		head, err := readUpTo(content, 20)
		if err != nil {
			return err
		}
		arch, isELF := elfArch(head)
		if isELF && arch == "" {
			return refuse("%s is a program for neither amd64 nor arm64", quote(name))
		}
		s.elf[name] = arch
	case base == "install.sh" && depth <= 1:
		text, err := readUpTo(content, maxText)
		if err != nil {
			return err
		}
		s.newer[name] = bytes.Contains(text, []byte("uniagent"))
	case strings.HasSuffix(base, "-release.json") && depth <= 1:
		text, err := readUpTo(content, maxText)
		if err != nil {
			return err
		}
		if m := releaseVersion.FindSubmatch(text); m != nil {
			s.release = string(m[1])
		}
	}
	return nil
}

// done finds the package's folder and sums up.
func (s *scan) done(name string) (Info, error) {
	var tops []string
	for file := range s.files {
		if path.Base(file) == "install.sh" && strings.Count(file, "/") <= 1 {
			tops = append(tops, path.Dir(file))
		}
	}
	slices.Sort(tops)
	switch len(tops) {
	case 0:
		return Info{}, refuse("it holds no install.sh, neither at its top nor in one folder")
	case 1:
	default:
		return Info{}, refuse("it holds more than one install.sh: in %s and in %s", quote(tops[0]), quote(tops[1]))
	}
	top := tops[0]
	for _, file := range []string{"telescoped", "bin/telescope"} {
		if !s.files[path.Join(top, file)] {
			return Info{}, refuse("it holds no %s beside its install.sh", file)
		}
	}
	info := s.info
	if info.Folder = top; top == "." {
		info.Folder = ""
	}
	info.Layout = LayoutOld
	if s.newer[path.Join(top, "install.sh")] {
		info.Layout = LayoutNew
	}
	info.Arch = s.elf[path.Join(top, "bin/telescope")]
	for _, hint := range []string{name, top} {
		if info.Arch == "" {
			info.Arch = archOf(hint)
		}
	}
	if info.Version = s.release; info.Version == "" {
		if m := nameVersion.FindStringSubmatch(name); m != nil && len(m[1]) <= 64 {
			info.Version = m[1]
		}
	}
	return info, nil
}

// safePath returns the clean form of an entry's name, or refuses it.
func safePath(name string) (string, error) {
	if strings.ContainsAny(name, "\x00\n") {
		return "", refuse("%s has a line break in its name", quote(name))
	}
	if path.IsAbs(name) || hasDotDot(name) {
		return "", refuse("%s lies outside the package's own folder", quote(name))
	}
	return path.Clean(name), nil
}

// checkLink refuses a link that may lead out of the archive. Any ".." is too
// much: where it leads depends on the other links.
func checkLink(name, target string) error {
	if target == "" || path.IsAbs(target) || hasDotDot(target) {
		return refuse("%s is a link out of the package's own folder", quote(name))
	}
	return nil
}

func hasDotDot(name string) bool { return slices.Contains(strings.Split(name, "/"), "..") }

// elfArch tells the GOARCH of a program's first 20 bytes, and whether it is an
// ELF program at all.
func elfArch(head []byte) (arch string, isELF bool) {
	const (
		littleEndian  = 1
		machineAMD64  = 62
		machineARM64  = 183
		machineOffset = 18
	)
	if len(head) < 20 || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return "", false
	}
	if head[5] != littleEndian {
		return "", true
	}
	switch binary.LittleEndian.Uint16(head[machineOffset:]) {
	case machineAMD64:
		return "amd64", true
	case machineARM64:
		return "arm64", true
	}
	return "", true
}

// readUpTo reads at most n bytes.
func readUpTo(r io.Reader, n int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, n))
}

// quote makes a name from a hostile archive fit for a message.
func quote(name string) string {
	const most = 80
	if len(name) > most {
		name = name[:most] + "..."
	}
	return strconv.QuoteToASCII(name)
}
