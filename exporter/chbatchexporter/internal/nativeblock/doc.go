// Package nativeblock builds blocks of rows in ClickHouse's Native format.
//
// A row is encoded once: columns append to buffers that already are the wire format, and sealing a block compresses each
// column into frames of its own. The sealed bytes are what goes to the queue on disk and, unchanged, to the socket.
// Frames per column also let a block be sent without a column that the table has lost, with nothing decompressed.
package nativeblock
