//go:build !linux && !windows

package localstack

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// sysProcAttr: only Linux can tie a child's life to its parent's; elsewhere a SIGKILL of the parent leaves children that
// do not read standard input.
func sysProcAttr(spec Spec) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: spec.credential}
}

// descendants lists the children of a process, their children and so on.
func descendants(pid int) []int {
	children := map[int][]int{}
	out, _ := exec.Command("ps", "-axo", "pid=,ppid=").Output()
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		child, err := strconv.Atoi(fields[0])
		parent, perr := strconv.Atoi(fields[1])
		if err == nil && perr == nil {
			children[parent] = append(children[parent], child)
		}
	}
	return collect(children, pid)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
