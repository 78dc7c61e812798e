package streamtap

import "encoding/binary"

// prefixLength is the length of what stands before each gRPC message: whether it is compressed, and its length.
const prefixLength = 5

// assembler finds messages in the data of a stream.
type assembler struct {
	limit int

	prefix [prefixLength]byte
	have   int
	// message is one that did not arrive in one piece; complete says that it only waits for the sink.
	message  []byte
	complete bool
}

// feed gives the messages in p to the sink. It returns how many bytes need not be offered again: all, unless the sink
// did not take a message.
func (a *assembler) feed(p []byte, sink Sink, wait bool) (n int, err error) {
	if a.complete {
		if taken, err := a.flush(sink, wait); !taken {
			return 0, err
		}
	}
	for n < len(p) {
		if a.have > 0 || len(p)-n < prefixLength {
			if n, err = a.collect(p, n); err != nil || !a.complete {
				return n, err
			}
			if taken, err := a.flush(sink, wait); !taken {
				return n, err
			}
			continue
		}
		size, err := a.size(p[n:])
		if err != nil {
			return n, err
		}
		from := n + prefixLength
		if len(p)-from < size {
			a.have = copy(a.prefix[:], p[n:])
			n = from
			continue
		}
		if taken, err := sink.Take(p[from:from+size], wait); !taken {
			return n, err
		}
		n = from + size
	}
	return n, nil
}

// size reads a prefix.
func (a *assembler) size(prefix []byte) (int, error) {
	size := binary.BigEndian.Uint32(prefix[1:])
	switch {
	case prefix[0] != 0:
		return 0, ErrCompressed
	case uint64(size) > uint64(a.limit):
		return 0, ErrTooLarge
	default:
		return int(size), nil
	}
}

// collect adds to the message that is not complete, from p[n] on, and returns where it stopped.
func (a *assembler) collect(p []byte, n int) (int, error) {
	if a.have < prefixLength {
		copied := copy(a.prefix[a.have:], p[n:])
		a.have, n = a.have+copied, n+copied
		if a.have < prefixLength {
			return n, nil
		}
	}
	size, err := a.size(a.prefix[:])
	if err != nil {
		return n, err
	}
	more := min(size-len(a.message), len(p)-n)
	a.message = append(a.message, p[n:n+more]...)
	a.complete = len(a.message) == size
	return n + more, nil
}

// flush gives the complete message to the sink.
func (a *assembler) flush(sink Sink, wait bool) (taken bool, err error) {
	if taken, err = sink.Take(a.message, wait); taken {
		a.have, a.message, a.complete = 0, nil, false
	}
	return taken, err
}

// rest is the error of a stream that ends here.
func (a *assembler) rest() error {
	if a.have > 0 {
		return ErrTruncated
	}
	return nil
}
