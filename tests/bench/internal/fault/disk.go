package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// What competes for the disk: writers that sync every block, each in a file of a bounded size.
const (
	diskWriters = 4
	diskBlock   = 4 << 20
	diskFile    = 16 // blocks
)

// slowDisk keeps the disk of a folder busy, so that everybody's fsync takes long.
func slowDisk(ctx context.Context, dir string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	errs := make([]error, diskWriters)
	var writers sync.WaitGroup
	for i := range diskWriters {
		writers.Go(func() { errs[i] = writeAndSync(ctx, filepath.Join(dir, fmt.Sprintf("busy-%d", i))) })
	}
	writers.Wait()
	return errors.Join(errs...)
}

func writeAndSync(ctx context.Context, path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	block := make([]byte, diskBlock)
	for n := int64(0); ctx.Err() == nil; n++ {
		if _, err := f.WriteAt(block, n%diskFile*diskBlock); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}
