package nativeblock

// Field is a column of a block with its name and type as ClickHouse writes them.
type Field struct {
	Name, Type string
	Column     Column
}

// Block is a set of columns that grow row by row.
type Block struct {
	Fields []Field
	Rows   int
	// size of all columns when it was last asked for, and the row it was asked at.
	size, sizeAt int
}

// Size is about how many bytes the rows take before compression. It is counted again after some more rows only.
func (b *Block) Size() int {
	const every = 64
	if b.Rows-b.sizeAt >= every || b.Rows < every {
		b.size, b.sizeAt = 0, b.Rows
		for i := range b.Fields {
			b.size += b.Fields[i].Column.Size()
		}
	}
	return b.size
}

// Reset forgets the rows and keeps the memory.
func (b *Block) Reset() {
	for i := range b.Fields {
		b.Fields[i].Column.Reset()
	}
	b.Rows, b.size, b.sizeAt = 0, 0, 0
}
