package pkgfile

import (
	"archive/tar"
	"bytes"
	"cmp"
	"debug/elf"
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

type scan struct {
	unpacked int64 // bytes of all files together
	entries  int
	places   map[string]kind   // what is at each clean path, folders on the way too
	tops     map[string]bool   // first parts of the paths
	elf      map[string]string // by path, of each candidate: the program's architecture; "": it is no ELF program
	release  string
}

type kind string

const (
	aFolder   kind = "folder"
	aFile     kind = "file"
	aHardLink kind = "hard link"
	aLink     kind = "link"
)

func newScan() *scan {
	return &scan{places: map[string]kind{}, tops: map[string]bool{}, elf: map[string]string{}}
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
		case aFile, aHardLink:
			return refuse("%s lies in what is a file", quote(name))
		}
	}
	if before := s.places[name]; before != "" && (what != aFolder || before != aFolder) {
		return refuse("%s is there twice", quote(name))
	}
	s.places[name] = what
	return nil
}

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
	case tar.TypeSymlink, tar.TypeLink:
		// Any ".." is too much: where it leads depends on the other links.
		if h.Linkname == "" || path.IsAbs(h.Linkname) || hasDotDot(h.Linkname) {
			return refuse("%s is a link out of the package's own folder", quote(name))
		}
		if h.Typeflag == tar.TypeSymlink {
			return s.place(name, aLink)
		}
		if to := path.Clean(h.Linkname); s.places[to] != aFile {
			return refuse("%s is a hard link to %s, which is no file before it", quote(name), quote(to))
		}
		return s.place(name, aHardLink)
	case tar.TypeReg:
	default:
		return refuse("%s is neither file, folder nor link", quote(name))
	}
	if err := s.place(name, aFile); err != nil {
		return err
	}
	if h.Size < 0 || h.Size > maxUnpacked-s.unpacked {
		return refuse("it unpacks to more than %d MiB", maxUnpacked>>20)
	}
	s.unpacked += h.Size
	return s.look(name, content)
}

func (s *scan) look(name string, content io.Reader) error {
	depth := strings.Count(name, "/")
	base := path.Base(name)
	switch {
	case base == "telescope" && path.Base(path.Dir(name)) == "bin" && depth <= 2:
		head, err := io.ReadAll(io.LimitReader(content, 20))
		if err != nil {
			return err
		}
		arch, isELF := elfArch(head)
		if isELF && arch == "" {
			return refuse("%s is a program for neither amd64 nor arm64", quote(name))
		}
		s.elf[name] = arch
	case strings.HasSuffix(base, "-release.json") && depth <= 1:
		text, err := io.ReadAll(io.LimitReader(content, maxText))
		if err != nil {
			return err
		}
		if m := releaseVersion().FindSubmatch(text); m != nil {
			s.release = string(m[1])
		}
	}
	return nil
}

func (s *scan) done(name string) (Info, error) {
	var tops []string
	for file, is := range s.places {
		if is == aFile && path.Base(file) == "install.sh" && strings.Count(file, "/") <= 1 {
			tops = append(tops, path.Dir(file))
		}
	}
	slices.Sort(tops)
	if len(tops) == 0 {
		return Info{}, refuse("it holds no install.sh, neither at its top nor in one folder")
	}
	top := tops[0]
	if len(tops) > 1 {
		return Info{}, refuse("it holds more than one install.sh: in %s and in %s", quote(top), quote(tops[1]))
	}
	for _, file := range []string{"telescoped", "bin/telescope"} {
		if s.places[path.Join(top, file)] != aFile {
			return Info{}, refuse("it holds no %s beside its install.sh", file)
		}
	}
	if top != "." && len(s.tops) > 1 {
		delete(s.tops, top)
		other := slices.Min(slices.Collect(maps.Keys(s.tops)))
		return Info{}, refuse("it holds more than its folder %s: also %s", quote(top), quote(other))
	}
	info := Info{Arch: cmp.Or(s.elf[path.Join(top, "bin/telescope")], archOf(name), archOf(top)), Version: s.release}
	if m := nameVersion().FindStringSubmatch(name); info.Version == "" && m != nil && len(m[1]) <= 64 {
		info.Version = m[1]
	}
	return info, nil
}

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

func hasDotDot(name string) bool { return slices.Contains(strings.Split(name, "/"), "..") }

func elfArch(head []byte) (arch string, isELF bool) {
	if len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return "", false
	}
	if elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return "", true
	}
	return map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[elf.Machine(binary.LittleEndian.Uint16(head[18:]))], true
}

func quote(name string) string {
	const most = 80
	if len(name) > most {
		name = name[:most] + "..."
	}
	return strconv.QuoteToASCII(name)
}
