//go:build paged

package queue

// For tests: as few messages as possible are in memory.

// Numbers of messages in a chunk.
const (
	smallChunk = 1
	bigChunk   = 1
)

const (
	// fewLoaded is how many messages a shelf has in memory before those outside, at
	// least: below that, more are loaded.
	fewLoaded = 1
	// headInMemory is how many of the first messages of a shelf stay in memory when others
	// are put outside.
	headInMemory = 0
	// manyInMemory is how many messages of a shelf are in memory before any are put
	// outside.
	manyInMemory = 2
	// tailInMemory is how many of the last messages of a shelf are not put outside.
	tailInMemory = 1
)

const (
	// segmentLen is how many messages a segment of a stream has, at most.
	segmentLen = 256
	// segmentsInMemory is how many of the newest segments stay in memory.
	segmentsInMemory = 1
	// segmentsLoaded is how many segments a stream has in memory that were loaded, for
	// readers that are far behind.
	segmentsLoaded = 2
)
