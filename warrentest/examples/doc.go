// Package examples holds small applications and their tests with package warrentest:
// one for each library that Go programs use AMQP by, and a worker that reconnects, tried
// with every fault. docs/testing.md is made of them. It is a module of its own, because
// of the libraries.
package examples
