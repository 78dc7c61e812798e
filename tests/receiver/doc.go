// Package receiver speaks to the built gateway as a stock agent does, from the protocol's field numbers alone: HTTP/2,
// gRPC's framing and protobuf's wire format are written by hand here, so that the test shares no code with the gateway.
package receiver
