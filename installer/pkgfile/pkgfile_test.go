package pkgfile_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/pkgfile"
	"tripod/testdata/agent"
)

// entry is one entry of a test archive; a plain file unless header says more.
type entry struct {
	name, text string
	header     tar.Header
}

func archive(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for _, e := range entries {
		h := e.header
		h.Name, h.Mode, h.Size = e.name, 0o755, int64(len(e.text))
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		require.NoError(tb, w.WriteHeader(&h))
		_, err := io.WriteString(w, e.text)
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	require.NoError(tb, zipped.Close())
	return out.Bytes()
}

// program is the beginning of an ELF program for a machine.
func program(machine byte) string {
	return "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00" + string([]byte{machine, 0}) + "\x01\x00\x00\x00 and the rest of it"
}

// genuine is what the real package looks like, with more entries after it.
func genuine(folder, binary string, more ...entry) []entry {
	return append([]entry{
		{name: folder + "install.sh", text: "#!/bin/bash\ncp -R bin /usr/local/telescope\n"},
		{name: folder + "uninstall.sh", text: "#!/bin/bash\n"},
		{name: folder + "telescoped", text: "#!/bin/bash\n"},
		{name: folder + "bin/telescope", text: binary},
		{name: folder + "bin/agent", text: binary},
		{name: folder + "bin/conf.json", text: "{}"},
	}, more...)
}

func TestInspectGenuineShapes(t *testing.T) {
	t.Parallel()
	release := entry{name: "t/telescope-1.1.0-release.json", text: `{"team_name": "telescope", "release_version": "1.1.0"}`}
	newer := genuine("t/", program(183))
	newer[0].text = "INSTALL_DIR=/usr/local/uniagent/extension/install/telescope\n"
	for name, tt := range map[string]struct {
		file    string
		entries []entry
		want    pkgfile.Info
	}{
		"amd64 by its program": {"a.tar.gz", genuine("t/", program(62)), pkgfile.Info{Arch: "amd64"}},
		"the program goes before the names": {"telescope_linux_amd64.tar.gz", genuine("telescope_linux_amd64/", program(183)),
			pkgfile.Info{Arch: "arm64"}},
		"by the file's name":                       {"/x/telescope_linux_arm64.tar.gz", genuine("t/", "#!/bin/sh\n"), pkgfile.Info{Arch: "arm64"}},
		"by the folder's name":                     {"p.tgz", genuine("telescope-x86_64/", "#!/bin/sh\n"), pkgfile.Info{Arch: "amd64"}},
		"no hint":                                  {"p.tgz", genuine("", "#!/bin/sh\n"), pkgfile.Info{}},
		"with ./ before all":                       {"p.tgz", genuine("./t/", program(62)), pkgfile.Info{Arch: "amd64"}},
		"new layout":                               {"p.tgz", newer, pkgfile.Info{Arch: "arm64"}},
		"version by the release note":              {"telescope_linux_amd64_9.9.tar.gz", genuine("t/", program(62), release), pkgfile.Info{Arch: "amd64", Version: "1.1.0"}},
		"version by the file's name":               {`C:\telescope_linux_amd64_1.0.14.1.tar.gz`, genuine("t/", program(62)), pkgfile.Info{Arch: "amd64", Version: "1.0.14.1"}},
		"no version in an architecture":            {"telescope_linux_amd64.tar.gz", genuine("t/", program(62)), pkgfile.Info{Arch: "amd64"}},
		"a link that stays inside, and a folder":   {"p.tgz", genuine("t/", program(62), entry{name: "t/l", header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "bin/agent"}}, entry{name: "t/log/", header: tar.Header{Typeflag: tar.TypeDir}}), pkgfile.Info{Arch: "amd64"}},
		"install.sh of something deeper is not it": {"p.tgz", genuine("t/", program(62), entry{name: "t/bin/install.sh"}), pkgfile.Info{Arch: "amd64"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := pkgfile.Inspect(bytes.NewReader(archive(t, tt.entries...)), tt.file)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestInspectRefuses(t *testing.T) {
	t.Parallel()
	good := archive(t, genuine("t/", program(62))...)
	with := func(more ...entry) []byte { return archive(t, genuine("t/", program(62), more...)...) }
	link := func(flag byte, target string) []byte {
		return with(entry{name: "t/bin/l", header: tar.Header{Typeflag: flag, Linkname: target}})
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 0xff // gzip's checksum
	for name, tt := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":                {nil, "not a gzip file"},
		"a zip":                {[]byte("PK\x03\x04 and so on"), "not a gzip file"},
		"cut off":              {good[:len(good)/2], "damaged"},
		"wrong checksum":       {flipped, "damaged"},
		"gzip of something":    {gzipped(t, strings.Repeat("hello, world ", 100)), "not a tar archive"},
		"an empty tar":         {archive(t), "holds no install.sh"},
		"another package":      {archive(t, entry{name: "x/setup.py"}), "holds no install.sh"},
		"too deep":             {archive(t, genuine("a/b/", program(62))...), "holds no install.sh"},
		"no telescoped":        {archive(t, entry{name: "t/install.sh"}, entry{name: "t/bin/telescope"}), "no telescoped"},
		"no program":           {archive(t, entry{name: "t/install.sh"}, entry{name: "t/telescoped"}), "no bin/telescope"},
		"two packages":         {archive(t, append(genuine("a/", program(62)), genuine("b/", program(62))...)...), "more than one install.sh"},
		"another architecture": {archive(t, genuine("t/", program(8))...), "neither amd64 nor arm64"},
		"a way out":            {with(entry{name: "t/../../etc/passwd"}), "outside"},
		"a way out at once":    {with(entry{name: "../etc/passwd"}), "outside"},
		"an absolute path":     {with(entry{name: "/etc/passwd"}), "outside"},
		"a link out":           {link(tar.TypeSymlink, "../../etc/passwd"), "link out"},
		"a link to the top":    {link(tar.TypeSymlink, ".."), "link out"},
		"an absolute link":     {link(tar.TypeSymlink, "/etc/passwd"), "link out"},
		"a hard link out":      {link(tar.TypeLink, "../x"), "link out"},
		"a device":             {link(tar.TypeChar, ""), "neither file"},
		"a pipe":               {link(tar.TypeFifo, ""), "neither file"},
		"a line break":         {with(entry{name: "t/a\nb"}), "control character"},
		"an escape sequence":   {with(entry{name: "t/\x1b[2J"}), "control character"},
		"not UTF-8":            {with(entry{name: "t/\xff"}), "not UTF-8"},
		"a name without end":   {with(entry{name: "t/" + strings.Repeat("x", 2000)}), "is no name"},
		"a file twice":         {with(entry{name: "t/bin/agent", text: "another"}), `"t/bin/agent" is there twice`},
		"the program twice":    {with(entry{name: "./t//bin/telescope", text: program(183)}), `"t/bin/telescope" is there twice`},
		"a link over a file":   {with(entry{name: "t/bin/agent", header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "x"}}), "is there twice"},
		"a folder over a file": {with(entry{name: "t/bin/agent/", header: tar.Header{Typeflag: tar.TypeDir}}), "is there twice"},
		"a file in a file":     {with(entry{name: "t/bin/agent/x"}), "lies in what is a file"},
		"behind a link": {with(entry{name: "t/other", header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "bin"}},
			entry{name: "t/other/telescope", text: program(183)}), `"t/other/telescope" lies behind a link`},
		"a hard link to nothing": {link(tar.TypeLink, "t/bin/none"), "no file before it"},
		"a socket":               {link('s', ""), "neither file"},
		"a block device":         {link(tar.TypeBlock, ""), "neither file"},
		"two folders":            {with(entry{name: "other/x"}), `more than its folder "t": also "other"`},
		"a file beside it":       {with(entry{name: "README"}), `also "README"`},
		"a folder beside it":     {with(entry{name: "u/", header: tar.Header{Typeflag: tar.TypeDir}}), `also "u"`},
		"garbage behind it":      {append(bytes.Clone(good), "and more"...), "follows its end"},
		"an archive behind it":   {append(bytes.Clone(good), good...), "follows the end"},
		"garbage in the archive": {gzipped(t, unzipped(t, good)+"and more"), "follows the end"},
		"without end":            {gzipped(t, unzipped(t, good)+strings.Repeat("\x00", 1<<24)), "goes on for more than 16 MiB"},
		"too big":                {oversized(t), "more than 1024 MiB"},
		"too many entries":       {archive(t, many(20_001)...), "more than 20000 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pkgfile.Inspect(bytes.NewReader(tt.raw), "telescope_linux_amd64.tar.gz")
			require.ErrorIs(t, err, pkgfile.ErrNotPackage)
			assert.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// A disk that fails is not a package that is wrong.
func TestInspectTellsReadErrorsApart(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	good := archive(t, genuine("t/", program(62))...)
	for _, at := range []int{0, 5, len(good) / 2, len(good) - 1} {
		r := io.MultiReader(bytes.NewReader(good[:at]), iotest.ErrReader(broken))
		_, err := pkgfile.Inspect(r, "p.tar.gz")
		require.ErrorIs(t, err, broken)
		assert.NotErrorIs(t, err, pkgfile.ErrNotPackage)
	}
}

func TestInspectStandIn(t *testing.T) {
	t.Parallel()
	for layout, want := range map[string]pkgfile.Info{
		"old": {Arch: "amd64", Version: "1.2.3"},
		"new": {Arch: "arm64", Version: "2.7.2.1"},
	} {
		file := agent.Build(t, agent.Options{Version: want.Version, Layout: layout, Arch: want.Arch})
		r, err := os.Open(file)
		require.NoError(t, err)
		defer r.Close()
		got, err := pkgfile.Inspect(r, file)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(archive(f, genuine("t/", program(62))...), "telescope_linux_amd64_1.2.3.tar.gz")
	f.Add(archive(f, entry{name: "../x", header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "/"}}), "x")
	f.Add([]byte("PK\x03\x04"), "")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		// Both as they are and as what a gzip holds, or the fuzzer never gets
		// past the checksum.
		for _, file := range [][]byte{raw, gzipped(t, string(raw))} {
			info, err := pkgfile.Inspect(bytes.NewReader(file), name)
			if err != nil {
				require.ErrorIs(t, err, pkgfile.ErrNotPackage)
				require.Less(t, len(err.Error()), 1000)
				continue
			}
			require.Contains(t, []string{"", "amd64", "arm64"}, info.Arch)
			require.Regexp(t, `^[0-9A-Za-z_.-]{0,64}$`, info.Version)
		}
	})
}

func gzipped(tb testing.TB, text string) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(tb, err)
	_, err = io.WriteString(w, text)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return out.Bytes()
}

func unzipped(tb testing.TB, file []byte) string {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(file))
	require.NoError(tb, err)
	raw, err := io.ReadAll(r)
	require.NoError(tb, err)
	return string(raw)
}

// TestInspectStopsAtABomb: headers that unpack to more than any package has are
// not read to their end, though no file is in them.
func TestInspectStopsAtABomb(t *testing.T) {
	t.Parallel()
	r := bytes.NewReader(bomb(t))
	_, err := pkgfile.InspectWithin(r, "p.tar.gz", 4<<20)
	require.ErrorIs(t, err, pkgfile.ErrNotPackage)
	require.ErrorContains(t, err, "unpacks to more than 4 MiB")
	require.Positive(t, r.Len(), "the rest is not even looked at")
	_, err = pkgfile.InspectWithin(bytes.NewReader(archive(t, genuine("t/", program(62))...)), "p.tar.gz", 4<<20)
	require.NoError(t, err)
}

// bomb has entries without content under headers of a megabyte each.
func bomb(tb testing.TB) []byte {
	tb.Helper()
	var one bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&one, gzip.BestSpeed)
	require.NoError(tb, err)
	w := tar.NewWriter(zipped)
	require.NoError(tb, w.WriteHeader(&tar.Header{Name: "t/", Typeflag: tar.TypeDir, PAXRecords: map[string]string{
		"TRIPOD.filler": strings.Repeat("x", 1<<20-2000),
	}}))
	require.NoError(tb, w.Flush())
	require.NoError(tb, zipped.Close())
	return bytes.Repeat(one.Bytes(), 20)
}

func many(n int) []entry {
	all := make([]entry, n)
	for i := range all {
		all[i].name = fmt.Sprintf("t/%d", i)
	}
	return all
}

// oversized announces more than is allowed; the refusal comes before the data.
func oversized(tb testing.TB) []byte {
	tb.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	require.NoError(tb, w.WriteHeader(&tar.Header{Name: "t/big", Typeflag: tar.TypeReg, Size: 1<<30 + 1}))
	return gzipped(tb, raw.String())
}
