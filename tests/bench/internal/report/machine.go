package report

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Machine is where it ran.
type Machine struct {
	CPU       string  `json:"cpu"`
	Cores     int     `json:"cores"`
	MemoryGiB float64 `json:"memory_gib"`
	Kernel    string  `json:"kernel"`
	Load      string  `json:"load_before"` // 1, 5 and 15 minutes: whether it was idle
}

// Versions of what ran.
type Versions struct {
	Commit     string `json:"commit"`
	Gateway    string `json:"gateway"`
	Go         string `json:"go"`
	ClickHouse string `json:"clickhouse"`
	Postgres   string `json:"postgresql"`
}

// ThisMachine describes the machine.
func ThisMachine() Machine {
	m := Machine{CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU()}
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		m.MemoryGiB = kb / (1 << 20)
	}
	var u syscall.Utsname
	if syscall.Uname(&u) == nil {
		m.Kernel = text(u.Sysname[:]) + " " + text(u.Release[:])
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	return m
}

// RepositoryVersions asks git, Go and the programs; the servers' are added by who runs them.
func RepositoryVersions(root, gateway string) Versions {
	return Versions{
		Commit:   said("git", "-C", root, "describe", "--tags", "--always", "--dirty"),
		Gateway:  said(gateway, "--version"),
		Go:       runtime.Version(),
		Postgres: said("psql", "--version"),
	}
}

func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// field is the first value of a name in a file of lines "name : value".
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func text(chars []int8) string {
	var b strings.Builder
	for _, c := range chars {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}
