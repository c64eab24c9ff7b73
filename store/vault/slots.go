package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"tripod/store/disk"
)

const (
	slotSize = 32
	// blockSlots is by how many slots the file grows at least: by whole pages, so
	// that a slot which is overwritten later is never a change of the file's size.
	blockSlots = 4096 / slotSize
)

// header takes the place of slot 0. No slot lies across two sectors of a disk, so
// a write that is cut short leaves each slot as it was or as it is to be.
var header = [slotSize]byte([]byte("tripod login keys, format 1\n\n\n\n\n"))

// slot is what a key is made of. One of zeros is free.
type slot [slotSize]byte

// medium is the file; tests put faulty ones in its place.
type medium interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
}

// slotFile is the file of slots. It never gets smaller.
type slotFile struct {
	file  medium
	flush flusher

	mu    sync.Mutex
	count uint32   // slots in the file, the header with them
	free  []uint32 // the lowest last
	// owed are slots that are to be free, and hold zeros on disk only when a sync has
	// ended well that began after they were overwritten; by who owes them.
	owed map[uint32]uint64
	debt uint64
}

func openSlots(path string, o Options) (*slotFile, error) {
	err := disk.CheckFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if o.First && !o.ReadOnly {
			err = disk.Write(path, header[:])
		} else {
			err = fmt.Errorf("%s is missing: without it the stored credentials cannot be opened; restore a backup of the whole folder", path)
		}
	}
	if err != nil {
		return nil, err
	}
	flag := os.O_RDWR
	if o.ReadOnly {
		flag = os.O_RDONLY
	}
	file, err := disk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	f := &slotFile{file: file, owed: map[uint32]uint64{}}
	if err := f.load(file); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return f, nil
}

func (f *slotFile) load(r io.Reader) error {
	all, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(all) < slotSize || slot(all[:slotSize]) != header {
		return errors.New("it is no file of tripod's login keys, or of another format: restore a backup of the whole folder")
	}
	f.count = uint32(len(all) / slotSize)
	for n := f.count - 1; n > 0; n-- {
		if slot(all[n*slotSize:][:slotSize]) == (slot{}) {
			f.free = append(f.free, n)
		}
	}
	clear(all)
	return nil
}

// read returns what is in a slot. Keys are on disk before anything is sealed with
// them, so a slot beyond the end was lost: ErrDamaged.
func (f *slotFile) read(number uint32) (s slot, err error) {
	if number == 0 {
		return s, nil
	}
	_, err = f.file.ReadAt(s[:], int64(number)*slotSize)
	if errors.Is(err, io.EOF) {
		return slot{}, fmt.Errorf("%w: %s is cut short, it has no slot %d", disk.ErrDamaged, KeysName, number)
	}
	return s, err
}

func (f *slotFile) fill(n int) (numbers []uint32, filled []slot, err error) {
	since, err := f.flush.begin()
	if err != nil {
		return nil, nil, err
	}
	numbers, err = f.take(n)
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(numbers)
	filled = make([]slot, n)
	for i := range filled {
		_, _ = rand.Read(filled[i][:]) // never fails
	}
	err = f.write(numbers, filled)
	if err == nil {
		err = f.flush.now(since, f.file.Sync)
	}
	if err != nil { // nothing was sealed with them
		f.mu.Lock()
		defer f.mu.Unlock()
		f.owe(numbers...)
		return nil, nil, err
	}
	return numbers, filled, nil
}

func (f *slotFile) take(n int) ([]uint32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if more := n - len(f.free); more > 0 {
		end := (int(f.count) + more + blockSlots - 1) / blockSlots * blockSlots
		zeros := make([]byte, (end-int(f.count))*slotSize)
		if _, err := f.file.WriteAt(zeros, int64(f.count)*slotSize); err != nil {
			return nil, err
		}
		fresh := make([]uint32, 0, end-int(f.count)+len(f.free))
		for number := end - 1; number >= int(f.count); number-- {
			fresh = append(fresh, uint32(number))
		}
		f.free, f.count = append(fresh, f.free...), uint32(end)
	}
	rest := len(f.free) - n
	taken := slices.Clone(f.free[rest:])
	f.free = f.free[:rest]
	return taken, nil
}

// write puts slots, sorted by number, into the file: neighbours in one write.
func (f *slotFile) write(numbers []uint32, slots []slot) error {
	for first := 0; first < len(numbers); {
		next := first + 1
		for next < len(numbers) && numbers[next] == numbers[next-1]+1 {
			next++
		}
		run := make([]byte, 0, (next-first)*slotSize)
		for _, s := range slots[first:next] {
			run = append(run, s[:]...)
		}
		_, err := f.file.WriteAt(run, int64(numbers[first])*slotSize)
		clear(run)
		if err != nil {
			return err
		}
		first = next
	}
	return nil
}

func (f *slotFile) owe(numbers ...uint32) {
	f.debt++
	for _, number := range numbers {
		f.owed[number] = f.debt
	}
}

// erase overwrites the slots of which mine holds, and those that are owed; on disk
// when it returns nil. The others are free again, or somebody else's by now.
func (f *slotFile) erase(numbers []uint32, mine func(i int, s slot) bool) error {
	since, err := f.flush.begin()
	if err != nil {
		return err
	}
	doomed, err := f.overwrite(numbers, mine)
	if err == nil && len(doomed) > 0 {
		err = f.flush.now(since, f.file.Sync)
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for number, debt := range doomed {
		if f.owed[number] == debt { // or somebody else has freed it, and it is owed again
			delete(f.owed, number)
			f.free = append(f.free, number)
		}
	}
	slices.SortFunc(f.free, func(a, b uint32) int { return int(b) - int(a) })
	return nil
}

// overwrite returns all that is owed by now, which it has written zeros over: also
// what others are about to bring to disk, for whoever asks for the same waits as well.
func (f *slotFile) overwrite(numbers []uint32, mine func(i int, s slot) bool) (map[uint32]uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var named []uint32
	for i, number := range numbers {
		s, err := f.read(number)
		if err != nil {
			return nil, err
		}
		if s != (slot{}) && mine(i, s) {
			named = append(named, number)
		}
	}
	f.owe(named...)
	doomed := slices.Sorted(maps.Keys(f.owed))
	return maps.Clone(f.owed), f.write(doomed, make([]slot, len(doomed)))
}

// eraseAllBut overwrites all slots but those that are needed, also those that seem
// free: what a failed sync has left is zeros in memory and a key on disk.
func (f *slotFile) eraseAllBut(needed map[uint32]bool) error {
	f.mu.Lock()
	f.free = nil
	for number := uint32(1); number < f.count; number++ {
		if !needed[number] {
			f.owe(number)
		}
	}
	f.mu.Unlock()
	return f.erase(nil, nil)
}
