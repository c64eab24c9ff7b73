package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tripod/store/disk"
)

// A log is kept at both ends: the first half of its cap in one file, the head, and what comes after
// that in files of a quarter, of which the last two stay. These are in a folder beside the head, each
// named by how many bytes of the log come before it, so that whatever a crash leaves can be read.

// logPart is one file of a log.
type logPart struct {
	path string
	from int64 // bytes of the log before it
	size int64
}

func (p logPart) end() int64 { return p.from + p.size }

func (s *Files) logPath(batch, id string) string { return s.path(LogsFolder, batch, id+".log") }

func tailFolder(head string) string { return strings.TrimSuffix(head, ".log") + ".tail" }

// logParts are the files of a log in their order, the head first; none: there is no log. The names are
// looked at before the sizes: of a log that is being written, only the last part grows then.
func logParts(head string) ([]logPart, error) {
	entries, err := os.ReadDir(tailFolder(head)) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	parts := []logPart{{path: head}}
	for _, e := range entries {
		from, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a part of a log", filepath.Join(tailFolder(head), e.Name()))
		}
		parts = append(parts, logPart{path: filepath.Join(tailFolder(head), e.Name()), from: from})
	}
	there := parts[:0]
	for _, p := range parts {
		info, err := os.Lstat(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.size = info.Size()
		there = append(there, p)
	}
	return there, nil
}

// logReader reads a log from its files, with a line in each gap.
type logReader struct {
	io.Reader
	files []*os.File
}

func (r *logReader) Close() error { return closeAll(slices.Values(r.files)) }

// ReadLog opens what an invocation has said so far; nothing at all is no error.
func (s *Files) ReadLog(batch, id string) (io.ReadCloser, error) {
	parts, err := logParts(s.logPath(batch, id))
	if err != nil {
		return nil, disk.Error("reading a log", err)
	}
	log := &logReader{}
	var readers []io.Reader
	end, last := int64(0), []byte{'\n'}
	for _, p := range parts {
		f, err := disk.Open(p.path, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has made room meanwhile
		}
		if err != nil {
			return nil, errors.Join(disk.Error("reading a log", err), log.Close())
		}
		log.files = append(log.files, f)
		if p.from > end {
			readers = append(readers, strings.NewReader(gapLine(p.from-end, last[0])))
		}
		readers = append(readers, f)
		if end = p.end(); p.size > 0 {
			_, _ = f.ReadAt(last, p.size-1)
		}
	}
	log.Reader = io.MultiReader(readers...)
	return log, nil
}

// gapLine stands where so much of a log was left out; last is the byte before it.
func gapLine(size int64, last byte) string {
	line := fmt.Sprintf("[tripod: %d bytes left out here]\n", size)
	if last != '\n' {
		return "\n" + line
	}
	return line
}
