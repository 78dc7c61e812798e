package nativeblock

import "github.com/cespare/xxhash/v2"

// SealDigest is Seal with a digest of the columns as they were before compression: the same rows of a block that was not pressed have the
// same digest, whatever the compression.
func (b *Block) SealDigest(c *Compressor) (*Sealed, uint64, error) {
	c.fw.digest = xxhash.New()
	defer func() { c.fw.digest = nil }()
	s, err := b.Seal(c)
	return s, c.fw.digest.Sum64(), err
}
