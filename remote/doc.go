// Package remote is a broker elsewhere for programs that are written for one in their
// own process: RabbitMQ, LavinMQ, or the listener of another Warren.
package remote
