// Package store keeps the messages of queues on disk: in a log that all queues share, and
// in page files that full files of the log become. It knows for each queue which of its
// messages live, and reads them back. It knows nothing of what queues do with them.
//
// # The way of a message
//
//	Queue.Add: a record in the log's memory; who is to be told waits for its number
//	   |    Queue.Remove may still drop it from there
//	written and synced by the log, with all that came meanwhile
//	   |
//	the log's file is full: what lives of it is sorted by queue and position into a page
//	file, the index says so, and the file is removed; Taker.Paged
//	   |    the engine may drop it from memory; Queue.Load reads it again, with its neighbours
//	Queue.Remove: a record in the log, a bit in memory, and in the index when that is
//	written next
//	   |
//	nothing lives in the page file, or little does and is written to another: it is removed
//
// # What is where
//
// In memory a queue has a number for each message that lives in the log, which memory has
// anyway, and for page files a few words for each block of 256 messages. The queue's lock
// guards that. One goroutine, the tender, makes page files and removes what nobody needs; a
// few read blocks. They are there only while there is something to do, and none of them
// holds a lock while it waits for the disk.
//
// A generation is the part of the log that becomes a page file as a whole: one file, or
// more if the disk has failed. It begins with a head record. The records of a message that
// goes to several queues are in one generation, so that its body need be there only once.
//
// # Files
//
// log-* are those of package journal, with the records of place.go. Numbers are varints.
//
//	message   place | content | body
//	copy      place | queue and position of the message whose content and body it shares
//	settled   queue | position, or first and last position
//	returned  queue | position | returns | redelivered
//	head      generation | time | whether what came before counts as redelivered
//	time      time
//
//	place     flags | queue | position | deadline | returns | time, those that there are
//	content   flags | exchange | routing key | hidden keys | letter | properties
//
// pages-NNNNNNNN is written once and never changed:
//
//	+--------+-------+-------+- - - -+-------+--------+---------+
//	| header | block | block |       | block | footer | trailer |
//	+--------+-------+-------+- - - -+-------+--------+---------+
//
//	header   magic "warrenP1" 8 | id of the store 16 | number 4 | CRC-32C 4
//	block    CRC-32C 4 | length 4 | queue 4 | messages 2 | flags 2 | each message: length, place, content, body
//	footer   the runs: for each queue its blocks, and what is known of them; see footer.go
//	trailer  length of the footer 4 | CRC-32C of footer and length 4 | magic "endpage1" 8
//
// Checksums begin with the id of the store and the number of the file, and end with the
// offset, so that what is in the wrong place is not taken for good.
//
// index says which page files count and which of their messages live, which generation of
// the log is the first that counts, and what Queue.Returned has noted. It is replaced as a
// whole by a rename, and that is the moment in which anything becomes true: a page file
// that it does not name is a left-over, and so is a file of the log of an older
// generation. Before it is replaced, the log has been synced up to what it says.
//
// What cannot be read as it was written is moved to, or copied to, files damaged-*.
package store
