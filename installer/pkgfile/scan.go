package pkgfile

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scan gathers what the entries of an archive tell.
type scan struct {
	info    Info
	entries int
	files   map[string]bool // regular files by clean path
	places  map[string]kind // what is at each clean path, folders on the way too
	tops    map[string]bool // first parts of the paths
	// By path, for each candidate: the program's architecture ("" if it is no
	// ELF program), and whether an install.sh knows the new layout.
	elf     map[string]string
	newer   map[string]bool
	release string
}

// kind is what is at a path.
type kind string

const (
	aFolder kind = "folder"
	aFile   kind = "file"
	aLink   kind = "link"
)

func newScan() *scan {
	return &scan{
		files: map[string]bool{}, places: map[string]kind{}, tops: map[string]bool{},
		elf: map[string]string{}, newer: map[string]bool{},
	}
}

// place notes what is at a path. A path that is there twice, or that leads through
// a link, would not be on the host what was looked at here.
func (s *scan) place(name string, what kind) error {
	if name == "." {
		return nil
	}
	s.tops[strings.SplitN(name, "/", 2)[0]] = true
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		switch s.places[dir] {
		case "":
			s.places[dir] = aFolder
		case aLink:
			return refuse("%s lies behind a link", quote(name))
		case aFile:
			return refuse("%s lies in what is a file", quote(name))
		}
	}
	if before := s.places[name]; before != "" && (what != aFolder || before != aFolder) {
		return refuse("%s is there twice", quote(name))
	}
	s.places[name] = what
	return nil
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
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeDir:
		return s.place(name, aFolder)
	case tar.TypeSymlink:
		if err := checkLink(name, h.Linkname); err != nil {
			return err
		}
		return s.place(name, aLink)
	case tar.TypeLink:
		if err := checkLink(name, h.Linkname); err != nil {
			return err
		}
		if to := path.Clean(h.Linkname); !s.files[to] {
			return refuse("%s is a hard link to %s, which is no file before it", quote(name), quote(to))
		}
		return s.place(name, aFile)
	case tar.TypeReg:
	default:
		return refuse("%s is neither file, folder nor link", quote(name))
	}
	if err := s.place(name, aFile); err != nil {
		return err
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
	if top != "." && len(s.tops) > 1 {
		delete(s.tops, top)
		other := slices.Min(slices.Collect(maps.Keys(s.tops)))
		return Info{}, refuse("it holds more than its folder %s: also %s", quote(top), quote(other))
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
	if strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
		return "", refuse("%s has a control character in its name, or is not UTF-8", quote(name))
	}
	if name == "" || len(name) > maxName {
		return "", refuse("%s is no name: want 1–%d bytes", quote(name), maxName)
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
