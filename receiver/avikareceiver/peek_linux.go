package avikareceiver

import (
	"errors"
	"net"
	"syscall"
)

// peek waits for the first bytes of a connection and leaves them there. It returns fewer than peekBytes when that tells a
// mistake, or when the connection's deadline has passed.
func peek(connection net.Conn) []byte {
	conn, ok := connection.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	var first [peekBytes]byte
	n := 0
	err = raw.Read(func(fd uintptr) bool {
		n, _, err = syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			return false
		}
		return err != nil || n <= 0 || n == len(first) || mistake(first[:n]) != ""
	})
	if err != nil || n < 0 {
		return nil
	}
	return first[:n]
}
