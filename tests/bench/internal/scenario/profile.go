package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profile takes a CPU profile of the first gateway while the load is steady; the channel says how that went.
func (r *run) profile(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	if r.Pprof <= 0 {
		done <- nil
		return done
	}
	addr := r.stack.Collectors[0].PprofAddr
	go func() {
		time.Sleep(r.Duration / 3)
		cpu := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, int(r.Pprof.Seconds()))
		err := download(ctx, cpu, filepath.Join(r.opts.Dir, r.Name+"-cpu.pprof"))
		if err == nil {
			err = download(ctx, "http://"+addr+"/debug/pprof/heap", filepath.Join(r.opts.Dir, r.Name+"-heap.pprof"))
		}
		done <- err
	}()
	return done
}

func download(ctx context.Context, url, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		_ = f.Close()
		return fmt.Errorf("take a profile: %w", err)
	}
	return f.Close()
}
