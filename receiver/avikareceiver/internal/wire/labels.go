package wire

import (
	"hash/maphash"
	"maps"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

var systemSeed = maphash.MakeSeed()

// Labels returns the labels of the message, read from the bytes it was read from. Where the message and its system have the same label, that of
// the system counts.
func (m *Metrics) Labels() map[string]string {
	labels, ofSystem := map[string]string{}, map[string]string{}
	eachMessage(m.encoded, func(num protowire.Number, b []byte) {
		switch num {
		case metricsLabels:
			addLabel(labels, b)
		case metricsSystem:
			eachMessage(b, func(num protowire.Number, b []byte) {
				if num == systemLabels {
					addLabel(ofSystem, b)
				}
			})
		}
	})
	maps.Copy(labels, ofSystem)
	return labels
}

// eachMessage calls do with the fields of a message that are messages, or text.
func eachMessage(b []byte, do func(num protowire.Number, b []byte)) {
	f := fields{rest: b}
	for f.next() {
		if f.typ == protowire.BytesType {
			do(f.num, f.bytes)
		}
	}
}

func addLabel(labels map[string]string, b []byte) {
	if key, value, err := readLabel(b); err == nil {
		labels[string(key)] = string(value)
	}
}

// digestLabel adds a label to a digest that does not depend on their order, which is another in each message. It takes it that no label
// comes twice. Labels of the message and of its system have different seeds.
func digestLabel(digest *uint64, b []byte, seed maphash.Seed) error {
	if _, _, err := readLabel(b); err != nil {
		return err
	}
	*digest += maphash.Bytes(seed, b)
	return nil
}

// readLabel reads an entry of a map of texts, which have to be UTF-8.
func readLabel(b []byte) (key, value []byte, err error) {
	f := fields{rest: b}
	for f.next() {
		if f.typ != protowire.BytesType || f.num > 2 {
			continue
		}
		if !utf8.Valid(f.bytes) {
			return nil, nil, ErrMalformed
		}
		if f.num == 1 {
			key = f.bytes
		} else {
			value = f.bytes
		}
	}
	return key, value, f.err
}
