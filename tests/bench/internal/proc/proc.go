// Package proc reads what Linux tells about processes: CPU time and memory, those of their children included.
package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process and its descendants have used so far.
type Usage struct {
	CPU time.Duration // user and system time
	RSS int64         // bytes that are resident now
}

// Read adds up a process, its living descendants, and the children they have waited for. PostgreSQL's server has many.
func Read(pid int) (Usage, error) {
	all, err := readAll()
	if err != nil {
		return Usage{}, err
	}
	root, ok := all[pid]
	if !ok {
		return Usage{}, fmt.Errorf("process %d does not live any more", pid)
	}
	sum := Usage{}
	sum.add(root)
	for other := range all {
		if isBelow(all, other, pid) {
			sum.add(all[other])
		}
	}
	return sum, nil
}

// Self is what this process has used so far, without its children; the memory is the most it had.
func Self() Usage {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return Usage{}
	}
	return Usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), RSS: r.Maxrss << 10}
}

// Machine is the CPU time that the whole machine has spent so far, and what its host has kept from it.
func Machine() (busy, stolen time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	if len(f) < 9 {
		return 0, 0
	}
	ticks := func(fields ...int) (sum time.Duration) {
		for _, i := range fields {
			n, _ := strconv.ParseInt(f[i], 10, 64)
			sum += time.Duration(n) * time.Second / clockTicks
		}
		return sum
	}
	return ticks(1, 2, 3, 6, 7), ticks(8)
}

// PeakRSS is the most memory, in bytes, that was resident in a process at once: its own and mapped files.
func PeakRSS(pid int) (int64, error) { return status(pid, "VmHWM:") }

// Anonymous is the resident memory of a process, in bytes, without mapped files: its program, and queues on disk.
func Anonymous(pid int) (int64, error) { return status(pid, "RssAnon:") }

func status(pid int, name string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), name)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("process %d: no %s", pid, name)
	}
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	return kb << 10, err
}

type stat struct {
	parent   int
	cpuTicks int64
	rssPages int64
}

func (u *Usage) add(s stat) {
	u.CPU += time.Duration(s.cpuTicks) * time.Second / clockTicks
	u.RSS += s.rssPages * int64(os.Getpagesize())
}

func readAll() (map[int]stat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("read /proc: %w", err)
	}
	all := map[int]stat{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		all[pid] = parse(string(b))
	}
	return all, nil
}

// parse reads /proc/PID/stat. The command's name, in brackets, may hold anything.
func parse(line string) stat {
	f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(f) < 22 {
		return stat{}
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
	return stat{
		parent:   int(number(1)),
		cpuTicks: number(11) + number(12) + number(13) + number(14), // the last two are of children that have ended
		rssPages: number(21),
	}
}

func isBelow(all map[int]stat, pid, ancestor int) bool {
	for range 32 {
		s, ok := all[pid]
		if !ok || s.parent == 0 {
			return false
		}
		if s.parent == ancestor {
			return true
		}
		pid = s.parent
	}
	return false
}

// clockTicks a second of /proc.
var clockTicks = func() time.Duration {
	out, err := exec.Command("getconf", "CLK_TCK").Output()
	if err != nil {
		return 100
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || n < 1 {
		return 100
	}
	return time.Duration(n)
}()
