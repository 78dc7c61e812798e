package report

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is where it ran.
type Machine struct {
	CPU       string  `json:"cpu"`
	Cores     int     `json:"cores"`
	MemoryGiB float64 `json:"memory_gib"`
	Kernel    string  `json:"kernel"`
	Load      string  `json:"load_before"`    // 1, 5 and 15 minutes: whether it was idle
	FileUS    float64 `json:"create_file_us"` // what an empty file costs where ClickHouse's tables are: a part of a table is 14 of them
}

// Versions of what ran.
type Versions struct {
	Commit     string `json:"commit"`
	Gateway    string `json:"gateway"`
	Go         string `json:"go"`
	ClickHouse string `json:"clickhouse"`
	Postgres   string `json:"postgresql"`
}

// ThisMachine describes the machine, and the disk that the tables are on.
func ThisMachine(tables string) Machine {
	m := Machine{CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), FileUS: createFile(tables)}
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

// createFile says how long an empty file takes in a folder, in µs; 0 where none can be made. Without a journal ext4 passes over inodes that
// were freed within the last minute, and needs up to thirty times as long (docs/adr/036).
func createFile(dir string) float64 {
	const files = 100
	dir, err := os.MkdirTemp(dir, "files-")
	if err != nil {
		return 0
	}
	defer func() { _ = os.RemoveAll(dir) }()
	began := time.Now()
	for i := range files {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return 0
		}
		_ = f.Close()
	}
	return float64(time.Since(began).Microseconds()) / files
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
