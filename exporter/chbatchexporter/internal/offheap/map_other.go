//go:build !linux && !darwin

package offheap

import "errors"

func mapRegion(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapRegion([]byte) {}
