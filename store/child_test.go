package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/store/disk"
)

// The test binary starts itself again as a child that is killed, limited or
// kept waiting; what it is to do is in its environment.
const (
	childEnv = "TRIPOD_STORE_TEST_CHILD"
	childDir = "TRIPOD_STORE_TEST_DIR"
	childRun = "TRIPOD_STORE_TEST_RUN"
)

func childRole() (string, bool) { return os.LookupEnv(childEnv) }

// startChild runs this test binary in the role and returns it with its output.
func startChild(t *testing.T, role, dir, run string) (*exec.Cmd, *bufio.Scanner, io.WriteCloser) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role, childDir+"="+dir, childRun+"="+run,
		"GORACE="+strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=10")) // else a second's sleep at its end
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewScanner(out), in
}

// tellUntilKilled yields the words of the lines that a child tells, which is killed
// at a random one of the first n. What it has told by then comes too.
func tellUntilKilled(t *testing.T, role, dir string, round, n int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		child, out, _ := startChild(t, role, dir, strconv.Itoa(round))
		until := 1 + rand.IntN(n)
		for told := 0; out.Scan(); told++ {
			if told == until {
				require.NoError(t, child.Process.Kill())
			}
			if words := strings.Fields(out.Text()); len(words) == 3 && !yield(words) { // else cut by the kill
				break
			}
		}
		require.Error(t, child.Wait(), "it was killed")
	}
}

// killRounds is how often a child is killed.
func killRounds() int { return 8 / sshtest.EveryNth() }

func childMain(role string) {
	work := map[string]func(*Store) error{"hold": childHold, "work": childWork, "full": childFull, "inventory": childInventory, "forget": childForget}[role]
	s, err := Open(os.Getenv(childDir), Options{KeepOther: time.Hour})
	if err == nil {
		err = errors.Join(work(s), s.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role, "child:", err)
		os.Exit(1)
	}
}

// childHold keeps the folder until its standard input ends.
func childHold(*Store) error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// childWork submits and works for ever. It says on its output what has been
// acknowledged, after it was: that is the oracle.
func childWork(s *Store) error {
	ctx := context.Background()
	orphans, err := s.Orphans(ctx)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		tr := installer.Transition{State: installer.Pending, Crashed: true, At: t0}
		if err := s.Finish(ctx, o.Ref(), tr); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "work child:", err)
		os.Exit(1)
	}
	wg.Go(func() {
		for n := 0; ; n++ {
			b := batch(fmt.Sprintf("R%sB%04d", os.Getenv(childRun), n), hostNames(5)...)
			if err := s.Submit(ctx, b); err != nil {
				fail(err)
			}
			for _, it := range b.Items {
				fmt.Println("submitted", it.Invocation.ID, 0)
			}
		}
	})
	for n := range 6 {
		wg.Go(func() {
			for next, err := childWorkOnOne(ctx, s, nil, n%2 == 0); ; next, err = childWorkOnOne(ctx, s, next, n%2 == 0) {
				if err != nil {
					fail(err)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// childWorkOnOne works on inv, or claims one, and returns what it claims as that ends.
func childWorkOnOne(ctx context.Context, s *Store, inv *installer.Invocation, goesOn bool) (next *installer.Invocation, err error) {
	if inv == nil {
		if inv, _, err = s.Claim(ctx, t0, everything); err != nil || inv == nil {
			return nil, err
		}
	}
	fmt.Println("claimed", inv.ID, inv.Claim)
	log, err := s.OpenLog(ctx, inv)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(log, "claim %d\n", inv.Claim); err != nil {
		return nil, err
	}
	for n := range 3 {
		if err := s.Journal(ctx, inv.Ref(), installer.StepRecord{Step: installer.StepRun, Note: fmt.Sprint(n)}); err != nil {
			return nil, err
		}
		fmt.Println("journaled", inv.ID, inv.Claim)
	}
	if err := log.Close(); err != nil {
		return nil, err
	}
	end := installer.Transition{State: installer.Succeeded, EndAttempt: true, At: t0}
	if goesOn {
		next, _, err = s.FinishAndClaim(ctx, inv.Ref(), end, t0, everything)
	} else {
		err = s.Finish(ctx, inv.Ref(), end)
	}
	if err == nil {
		fmt.Println("finished", inv.ID, inv.Claim)
	}
	return next, err
}

// childFull runs into a file-size limit, looks around, and goes on when it is
// lifted.
func childFull(s *Store) error {
	ctx := context.Background()
	if err := s.Submit(ctx, batch("B", hostNames(50)...)); err != nil {
		return err
	}
	running, _, err := s.Claim(ctx, t0, everything)
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	info, err := os.Stat(s.path(dbName))
	if err != nil {
		return err
	}
	tight := limit
	tight.Cur = 4 * uint64(info.Size())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &tight); err != nil {
		return err
	}
	acknowledged := 0
	for err == nil && acknowledged < 10_000 {
		err = s.Submit(ctx, batch(fmt.Sprintf("F%05d", acknowledged), hostNames(50)...))
		if err == nil {
			acknowledged++
		}
	}
	if !errors.Is(err, installer.ErrStorage) || !disk.Curable(err) {
		return fmt.Errorf("the full disk was told as: %w", err)
	}
	page, err := s.Invocations(ctx, installer.Filter{ProjectID: project, Limit: 1})
	if err != nil || page.Count != int64(50*(acknowledged+1)) {
		return fmt.Errorf("%d batches are acknowledged and %d invocations readable: %w", acknowledged+1, page.Count, err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := s.Finish(ctx, running.Ref(), installer.Transition{State: installer.Succeeded, At: t0}); err != nil {
		return fmt.Errorf("storing the result later: %w", err)
	}
	fmt.Println(acknowledged + 1)
	return s.Submit(ctx, batch(fmt.Sprintf("F%05d", acknowledged), "h1"))
}
