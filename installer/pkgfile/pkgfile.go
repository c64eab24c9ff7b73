// Package pkgfile looks into an agent's package before it is sent to a fleet.
// It exists so that a wrong, damaged or harmful archive is refused once, on the
// machine of the user, and not two thousand times on hosts.
package pkgfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"tripod/installer/lazyregexp"
)

// Limits on what is read. The real packages have 10–60 MiB unpacked.
const (
	maxUnpacked = 1 << 30 // bytes of all files together
	maxEntries  = 20_000
	maxText     = 1 << 20 // bytes looked at of one text file
	maxPadding  = 1 << 24 // bytes after the last file
	maxOverhead = 1 << 26 // bytes that are not in files: headers and padding
	maxName     = 1024    // bytes of an entry's name
)

// ErrNotPackage is wrapped by every error about the content, as opposed to
// errors in reading it. Its text says for people what is wrong.
var ErrNotPackage = errors.New("not a usable agent package")

// Info is what a package says about itself.
type Info struct {
	// Arch is the GOARCH that it is for, from the program's ELF header, else
	// from the names of the archive and its folder; empty if neither tells.
	Arch string
	// Version from the release note inside, else from the archive's name;
	// empty if neither tells. It is a hint: the agent itself may tell another.
	Version string
}

// Inspect reads the whole .tar.gz from r and checks it. An error is about reading r, or
// wraps ErrNotPackage; no error quotes more than a path.
func Inspect(r io.Reader, name string) (Info, error) {
	return inspect(r, name, maxUnpacked+maxOverhead)
}

func inspect(r io.Reader, name string, most int64) (Info, error) {
	s := newScan()
	source := &sticky{r: r, most: most}
	zipped, err := gzip.NewReader(bufio.NewReader(source))
	if err != nil {
		return Info{}, source.blame("it is not a gzip file (a .tar.gz is needed)", err)
	}
	source.unzipped = io.LimitedReader{R: zipped, N: most}
	unzipped := &source.unzipped
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Info{}, source.blame("it is damaged, or is not a tar archive", err)
		}
		if err := s.entry(header, archive); err != nil {
			return Info{}, source.blame("it is damaged", err)
		}
	}
	// What is after the archive counts for gzip's checksum.
	var rest padding
	if n, err := io.Copy(&rest, io.LimitReader(unzipped, maxPadding)); err != nil {
		return Info{}, source.blame("it is damaged, or something follows its end", err)
	} else if n == maxPadding {
		return Info{}, refuse("it goes on for more than %d MiB after its last file", maxPadding>>20)
	} else if rest.filled {
		return Info{}, refuse("something follows the end of the archive")
	} else if unzipped.N <= 0 {
		return Info{}, source.blame("", nil)
	}
	return s.done(path.Base(strings.ReplaceAll(name, `\`, "/")))
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrNotPackage}, args...)...)
}

// sticky remembers the error of the reader below, to tell a damaged package from one
// that could not be read, and how much may still be unpacked.
type sticky struct {
	r        io.Reader
	err      error
	unzipped io.LimitedReader
	most     int64
}

func (s *sticky) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *sticky) blame(what string, err error) error {
	switch {
	case errors.Is(err, ErrNotPackage):
		return err
	case s.err != nil:
		return fmt.Errorf("read the package: %w", s.err)
	case s.unzipped.R != nil && s.unzipped.N <= 0:
		return refuse("it unpacks to more than %d MiB with its headers", s.most>>20)
	}
	return refuse("%s (%v)", what, err)
}

type padding struct{ filled bool }

func (p *padding) Write(b []byte) (int, error) {
	p.filled = p.filled || len(bytes.Trim(b, "\x00")) > 0
	return len(b), nil
}

var (
	releaseVersion = lazyregexp.New(`"release_version"\s*:\s*"([0-9A-Za-z_.-]{1,64})"`)
	nameVersion    = lazyregexp.New(`[_-]v?([0-9]+(?:\.[0-9A-Za-z]+){1,5})(?:\.tar\.gz|\.tgz)$`)
)

func archOf(name string) string {
	name = strings.ToLower(name)
	switch {
	case strings.Contains(name, "amd64"), strings.Contains(name, "x86_64"):
		return "amd64"
	case strings.Contains(name, "arm64"), strings.Contains(name, "aarch64"):
		return "arm64"
	}
	return ""
}
