// Package journal is a log of records in numbered files of one directory. Many append
// to it, each under a lock of its own, and wait for nothing; one goroutine writes what
// has gathered and syncs it once for all who wait. It knows nothing of what a record
// means.
//
// # The way of a record
//
//	Append: copied into a chunk in memory, and has a number, its [Seq]
//	   |    Void may still drop it
//	taken by the writer: what was dropped is closed up, checksums are set
//	   |
//	written: it has a place in a file and can be read
//	   |
//	synced: Wait and Notify say so; only now its chunk is free
//
// A write or a sync that fails ends its file: who waits has an error, the file counts
// up to its last good sync, and what came behind that is written again, to a new file,
// from the chunks. A file whose sync has failed is never synced again: the system may
// have dropped what it could not write, and would say that all is well.
//
// # Files
//
// PREFIXmanifest says which files count and where each ends. It is JSON, and a line with
// its CRC-32C, and is replaced as a whole, by a rename: when the first records of a new
// file are synced, and before anybody is told so; before a file is removed; and at Close.
// So a file that it names and that is missing is damage, and one that it does not name is
// a left-over, without anything that somebody was told is stored.
//
// PREFIX00000001.log and so on hold the records:
//
//	+--------------------+--------+--------+------+--------+----- - -
//	| header             | record | record | mark | record | ...
//	+--------------------+--------+--------+------+--------+----- - -
//
//	header, 32 bytes
//	  magic "warrenJ1" 8 | journal's id 16 | number of the file 4 | CRC-32C 4
//
//	record, 12 bytes and what it holds; numbers are little-endian
//	  CRC-32C 4 | length 4 | kind 1 | check 3 | length bytes
//
// The CRC covers the rest of the record. It begins with the journal's id and the file's
// number and ends with the offset, so that a record is good in its place only. The check
// is a hash of length, kind and place: behind damage it finds the next record without a
// look at what every octet would mean as a length.
//
// A mark is a record of the journal's own. It says up to which offset its file was
// synced before. Bad bytes below that, or below the end in the manifest, are damage;
// behind it, in the last file, they are the torn tail that a crash leaves. What is whole
// between the last mark and the tail is taken over into memory when the journal is
// opened, and written to the next file: nobody knows if it is on the disk.
package journal
