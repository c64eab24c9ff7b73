package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// Hosts of the two runs that memory per host is read from; on every one of them
	// a script waits.
	fewHosts, manyHosts = 8, 136
	countedHosts        = 8 // of the run in which processes are counted
	largeSize           = 32 << 20
)

type measurement struct {
	*field
	present []peer
	far     *far
}

// rounds runs every tool so often, in turn, so that a drift of the machine's
// speed hits all of them.
func (m measurement) rounds(ctx context.Context, runs, hosts int, port string) (map[string][]sample, error) {
	results := map[string][]sample{}
	for run := range runs {
		for _, p := range m.present {
			w, err := m.newWork(p.name, hosts, port)
			if err != nil {
				return nil, err
			}
			s, err := p.measure(ctx, m.field, w, nil)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "%3d hosts, port %s, run %d: %-14s cpu %6.2f ms/host, wall %6.2f s, peak %6.1f MB\n",
				hosts, port, run+1, p.name, s.cpu.Seconds()*1000/float64(hosts), s.wall.Seconds(), float64(s.peak)/1e6)
			results[p.name] = append(results[p.name], s)
		}
	}
	return results, nil
}

// compared are those of which memory and processes are measured.
func (m measurement) compared() (those []peer) {
	for _, p := range m.present {
		if p.name == bare || p.name == tripod || p.name == asyncssh || p.name == gossh {
			those = append(those, p)
		}
	}
	return those
}

// memory returns by how many bytes each tool's peak grows with a host at which
// it waits: the peak with many hosts less that with few, by the difference.
func (m measurement) memory(ctx context.Context) (map[string][]float64, error) {
	many := min(manyHosts, len(m.hosts))
	results := map[string][]float64{}
	for range m.runs {
		for _, p := range m.compared() {
			few, err := m.peak(ctx, p, min(fewHosts, many-1))
			if err != nil {
				return nil, err
			}
			most, err := m.peak(ctx, p, many)
			if err != nil {
				return nil, err
			}
			per := float64(most-few) / float64(many-min(fewHosts, many-1))
			fmt.Fprintf(os.Stderr, "memory: %-14s %.0f KB per host (%.1f MB, %.1f MB)\n", p.name, per/1000, float64(few)/1e6, float64(most)/1e6)
			results[p.name] = append(results[p.name], per)
		}
	}
	return results, nil
}

// peak is that of p when it waits at so many hosts at once.
func (m measurement) peak(ctx context.Context, p peer, hosts int) (int64, error) {
	w, err := m.newWork(p.name, hosts, fieldPort)
	if err != nil {
		return 0, err
	}
	w.parallel = hosts
	w.command += "; : <" + sharedFolder + "/gate"
	if err := m.fill(&w); err != nil {
		return 0, err
	}
	var gate *os.File
	s, err := p.measure(ctx, m.field, w, func(ctx context.Context) error {
		for m.ran(w) < hosts {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		time.Sleep(time.Second) // each has come from its note to the gate, or finds it open
		gate, err = os.OpenFile(m.path("shared/gate"), os.O_RDWR, 0)
		return err
	})
	if gate != nil {
		_ = gate.Close()
	}
	return s.peak, err
}

// processes returns how many processes a run of each tool starts on a host,
// sshd's own included: by how much the pids of the container advance.
func (m measurement) processes(ctx context.Context) (map[string]float64, error) {
	look := exec.CommandContext(ctx, "docker", "exec", "-i", m.container, "sh")
	questions, err := look.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := look.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := look.Start(); err != nil {
		return nil, err
	}
	defer func() { _, _ = questions.Close(), look.Wait() }()
	answers := bufio.NewScanner(output)
	lastPID := func() (int, error) {
		if _, err := fmt.Fprintln(questions, "cat /proc/sys/kernel/ns_last_pid"); err != nil {
			return 0, err
		}
		if !answers.Scan() {
			return 0, errors.Join(errors.New("no answer from the container"), answers.Err())
		}
		return strconv.Atoi(strings.TrimSpace(answers.Text()))
	}

	hosts := min(countedHosts, len(m.hosts))
	results := map[string]float64{}
	for _, p := range m.compared() {
		w, err := m.newWork(p.name, hosts, fieldPort)
		if err != nil {
			return nil, err
		}
		before, err := lastPID()
		if err != nil {
			return nil, err
		}
		if _, err := p.measure(ctx, m.field, w, nil); err != nil {
			return nil, err
		}
		time.Sleep(time.Second) // what a tool leaves to the host when it goes
		after, err := lastPID()
		if err != nil {
			return nil, err
		}
		results[p.name] = float64(after-before-1) / float64(hosts) // less our own look
	}
	return results, nil
}

// largeFile is what was found with one file of 32 MiB, sent to one far host.
type largeFile struct {
	bare, tripod []sample
	again        []int64 // bytes that passed to the host the second time, less those of a run without the file
}

func (m measurement) largeFile(ctx context.Context) (l largeFile, err error) {
	content := make([]byte, largeSize)
	send := func(p peer, file string) (sample, int64, error) {
		w, err := m.newWork(p.name, 1, farPort)
		if err != nil {
			return sample{}, 0, err
		}
		w.send = file
		before := m.far.sent.Load()
		s, err := p.measure(ctx, m.field, w, nil)
		time.Sleep(4 * m.far.rtt) // the proxy counts when a connection has ended
		return s, m.far.sent.Load() - before, err
	}
	for range m.runs {
		for _, p := range m.present {
			if p.name != bare && p.name != tripod {
				continue
			}
			_, _ = rand.Read(content)
			if err := os.WriteFile(m.path("large"), content, 0o600); err != nil {
				return l, err
			}
			s, sent, err := send(p, m.path("large"))
			if err != nil {
				return l, err
			}
			fmt.Fprintf(os.Stderr, "32 MiB: %-14s wall %.2f s, cpu %.0f ms, %d bytes sent\n", p.name, s.wall.Seconds(), s.cpu.Seconds()*1000, sent)
			if p.name == bare {
				l.bare = append(l.bare, s)
				continue
			}
			l.tripod = append(l.tripod, s)
			_, second, err := send(p, m.path("large"))
			if err != nil {
				return l, err
			}
			_, without, err := send(p, "")
			if err != nil {
				return l, err
			}
			l.again = append(l.again, second-without)
		}
	}
	return l, nil
}
