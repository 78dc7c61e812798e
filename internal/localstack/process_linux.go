package localstack

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

func sysProcAttr(spec Spec) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: spec.DeathSignal, Credential: spec.credential}
}

// descendants lists the children of a process, their children and so on.
func descendants(pid int) []int {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if _, parent, ok := readStat(child); ok {
			children[parent] = append(children[parent], child)
		}
	}
	return collect(children, pid)
}

// alive is false for a process that has ended but that nobody has reaped yet.
func alive(pid int) bool {
	state, _, ok := readStat(pid)
	return ok && state != "Z" && state != "X"
}

// readStat returns state and parent of a process. The command name before them may contain spaces and brackets.
func readStat(pid int) (state string, parent int, ok bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0, false
	}
	_, rest, _ := cutLast(string(stat), ")")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
