package streamtap

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// headerTable is the size of the table that gRPC's transport announces, which is HTTP/2's default.
const headerTable = 4096

// opens reports whether a connection's first HEADERS frame opens a call of the method whose messages can be tapped. What does not
// decode is left to gRPC, which says what is wrong with it.
func opens(flags http2.Flags, payload []byte, method string) bool {
	block, ok := headerBlock(flags, payload)
	if !ok {
		return false
	}
	called, plain := false, true
	decoder := hpack.NewDecoder(headerTable, func(field hpack.HeaderField) {
		switch field.Name {
		case ":path":
			called = field.Value == method
		case "grpc-encoding":
			plain = field.Value == "identity"
		}
	})
	_, err := decoder.Write(block)
	return err == nil && decoder.Close() == nil && called && plain
}

// headerBlock strips padding and priority. It refuses a block that goes on in further frames, and a call that ends with its headers.
func headerBlock(flags http2.Flags, payload []byte) ([]byte, bool) {
	if !flags.Has(http2.FlagHeadersEndHeaders) || flags.Has(http2.FlagHeadersEndStream) {
		return nil, false
	}
	from, to := 0, len(payload)
	if flags.Has(http2.FlagHeadersPadded) {
		if to == 0 {
			return nil, false
		}
		from, to = 1, to-int(payload[0])
	}
	if flags.Has(http2.FlagHeadersPriority) {
		from += 5
	}
	if from > to {
		return nil, false
	}
	return payload[from:to], true
}
