//go:build linux || darwin

package offheap

import "syscall"

func mapRegion(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

// unmapRegion cannot fail for what mapRegion returned.
func unmapRegion(region []byte) { _ = syscall.Munmap(region) }
