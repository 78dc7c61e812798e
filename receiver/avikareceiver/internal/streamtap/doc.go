// Package streamtap takes the messages of an agent's stream off an HTTP/2 connection before gRPC's transport sees them.
//
// gRPC's transport hands each message through two goroutines and some allocations, which costs more than all else that is
// done with a log entry. A [Conn] stands between the socket and the transport. The DATA frames of the connection's first call, if it is
// of the tapped method, are read in place, and their messages go to a [Sink] on the goroutine that has read them. Everything else (handshake, headers,
// authentication, pings, resets, GOAWAY, further calls) goes through untouched, so that gRPC stays the one that speaks the protocol. What
// the tap takes over from it is flow control: it gives back the window of what it has taken.
//
// A call with compressed messages is not tapped, nor is one whose headers do not arrive in one frame: gRPC reads these as
// ever.
package streamtap
