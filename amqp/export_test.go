package amqp

// HungUp reports whether the client of a connection is gone.
var HungUp = hungUp

// OriginOf returns where a login comes from.
var OriginOf = originOf
