// Package store keeps the messages of queues on disk: in a log that all queues share,
// and in page files that full files of the log become. It knows for each queue which of
// its messages live, and reads them back. It knows nothing of what queues do with them.
package store
