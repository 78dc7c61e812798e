package host

import (
	"bytes"
	"os"
	"path/filepath"
)

// MasterPID is the process id of an NGINX master on this machine; empty when none is found.
func MasterPID() string {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return ""
	}
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err == nil && bytes.HasPrefix(line, []byte("nginx: master process")) {
			return filepath.Base(filepath.Dir(f))
		}
	}
	return ""
}
