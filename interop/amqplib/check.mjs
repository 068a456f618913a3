// amqplib against the broker at AMQP_URL.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import amqplib from 'amqplib'

const url = process.env.AMQP_URL
// Without it a small frame waits for the peer's TCP to acknowledge the one before.
const options = { noDelay: true }
const calls = 1000
const replyTo = 'amq.rabbitmq.reply-to'

// refusals are a wrong password and an unknown virtual host.
async function refusals() {
  const wrong = new URL(url)
  wrong.password = 'wrong'
  await assert.rejects(amqplib.connect(wrong.href, options), /403 \(ACCESS-REFUSED\)/)
  const unknown = new URL(url)
  unknown.pathname = '/none'
  await assert.rejects(amqplib.connect(unknown.href, options), /got <ConnectionClose/) // it does not show the code
}

// take gives n messages of a queue, by a consumer.
async function take(ch, queue, n = 1) {
  const got = []
  let done
  const all = new Promise((resolve) => { done = resolve })
  const { consumerTag } = await ch.consume(queue, (m) => {
    assert.ok(m, 'the consumer was cancelled')
    ch.ack(m)
    if (got.push(m) === n) done()
  })
  await all
  await ch.cancel(consumerTag)
  return got
}

async function topology(ch) {
  await ch.assertExchange('amqplib.events', 'topic', { durable: false, autoDelete: true })
  const { queue } = await ch.assertQueue('', { exclusive: true })
  await ch.bindQueue(queue, 'amqplib.events', 'order.*.paid')
  ch.publish('amqplib.events', 'order.7.made', Buffer.from('made'))
  ch.publish('amqplib.events', 'order.7.paid', Buffer.from('paid'))
  const [m] = await take(ch, queue)
  assert.equal(m.content.toString(), 'paid')
  assert.equal(m.fields.routingKey, 'order.7.paid')
  assert.equal(m.fields.exchange, 'amqplib.events')
  assert.equal((await ch.checkQueue(queue)).messageCount, 0)
  await ch.unbindQueue(queue, 'amqplib.events', 'order.*.paid')
  assert.equal((await ch.purgeQueue(queue)).messageCount, 0)
  return queue
}

async function bodies(ch, queue) {
  for (const size of [0, 1, 1 << 20, 131072 - 8, 131072 - 7]) {
    const body = randomBytes(size)
    ch.sendToQueue(queue, body)
    const [m] = await take(ch, queue)
    assert.ok(m.content.equals(body), `a body of ${size} bytes`)
  }
  assert.equal(await ch.get(queue), false)
}

async function properties(ch, queue) {
  const headers = {
    yes: true, no: false, small: 5, negative: -5, short: 300, long: 1 << 30, longer: 2 ** 40, float: 1.5,
    text: 'häuschen', nothing: null, bytes: Buffer.from([0, 255]), list: [1, 'two', null, [false]],
    table: { a: { b: 1 } }, time: { '!': 'timestamp', value: 1700000000 },
    decimal: { '!': 'decimal', value: { digits: 1234, places: 2 } },
  }
  const sent = {
    contentType: 'text/plain', contentEncoding: 'utf-8', headers, deliveryMode: 2, priority: 3, correlationId: 'c',
    replyTo: 'r', expiration: '60000', messageId: 'm', timestamp: 1700000000, type: 't', userId: 'clients', appId: 'a',
  }
  ch.sendToQueue(queue, Buffer.from('x'), sent)
  const [{ properties: got }] = await take(ch, queue)
  for (const [name, value] of Object.entries(sent)) assert.deepEqual(got[name], value, name)
}

async function confirmsAndReturns(connection, queue) {
  const ch = await connection.createConfirmChannel()
  for (let i = 0; i < 100; i++) ch.sendToQueue(queue, Buffer.from(String(i)), { mandatory: true })
  await ch.waitForConfirms()
  const got = await take(ch, queue, 100)
  assert.deepEqual(got.map((m) => Number(m.content)), [...Array(100).keys()])
  const returned = once(ch, 'return')
  ch.publish('', 'amqplib.nowhere', Buffer.from('back'), { mandatory: true, messageId: '7' })
  const [m] = await returned
  assert.equal(m.fields.replyCode, 312)
  assert.equal(m.fields.replyText, 'NO_ROUTE')
  assert.equal(m.content.toString(), 'back')
  assert.equal(m.properties.messageId, '7')
  await ch.waitForConfirms()
  await ch.close()
}

async function redelivery(ch, queue) {
  ch.sendToQueue(queue, Buffer.from('again'))
  let m
  while (!(m = await ch.get(queue)));
  assert.equal(m.fields.redelivered, false)
  ch.nack(m)
  m = await ch.get(queue)
  assert.equal(m.fields.redelivered, true)
  ch.reject(m, false)
  assert.equal(await ch.get(queue), false)
}

// refused wants an operation to close its channel with a code and a text.
async function refused(connection, code, text, operation) {
  const ch = await connection.createChannel()
  const closed = once(ch, 'error')
  await assert.rejects(operation(ch))
  const [e] = await closed
  assert.equal(e.code, code)
  assert.ok(e.message.includes(text), e.message)
}

async function errors(connection, ch) {
  await refused(connection, 404, "NOT_FOUND - no queue 'amqplib.nowhere' in vhost '/'", (c) => c.checkQueue('amqplib.nowhere'))
  await ch.assertQueue('amqplib.kept', { durable: false, autoDelete: true })
  await refused(connection, 406, "inequivalent arg 'durable' for queue 'amqplib.kept' in vhost '/'",
    (c) => c.assertQueue('amqplib.kept', { durable: true, autoDelete: true }))
  await ch.deleteQueue('amqplib.kept')
}

// call sends n requests at once, and wants each answered.
async function call(ch, queue, reply, n) {
  const waiting = new Map()
  const { consumerTag } = await ch.consume(reply, (m) => {
    waiting.get(m.properties.correlationId)?.(m)
  }, { noAck: true })
  const all = [...Array(n).keys()].map((i) => new Promise((resolve) => {
    waiting.set(String(i), resolve)
    ch.sendToQueue(queue, Buffer.from(String(i)), { replyTo: reply, correlationId: String(i) })
  }))
  for (const [i, m] of (await Promise.all(all)).entries()) assert.equal(m.content.toString(), String(2 * i))
  await ch.cancel(consumerTag)
}

// failingCall is one whose handler fails.
async function failingCall(ch) {
  const { queue } = await ch.assertQueue('', { exclusive: true })
  ch.sendToQueue('price', Buffer.from('no number'), { replyTo: queue, correlationId: '7' })
  const [m] = await take(ch, queue)
  assert.equal(m.content.length, 0)
  assert.equal(m.properties.correlationId, '7')
  assert.equal(m.properties.headers['x-warren-error'], 'error')
  assert.ok(m.properties.headers['x-warren-error-text'].includes('no number'))
}

// serveCalls answers calls of the broker's own process, then of this one.
async function serveCalls(ch) {
  const other = await amqplib.connect(url, options)
  const server = await other.createChannel()
  await server.assertQueue('amqplib.double', { durable: false, autoDelete: true })
  await server.prefetch(100)
  await server.consume('amqplib.double', (m) => {
    const { replyTo, correlationId } = m.properties
    server.sendToQueue(replyTo, Buffer.from(String(2 * Number(m.content))), { correlationId })
    server.ack(m)
  })
  const { queue } = await ch.assertQueue('', { exclusive: true })
  ch.sendToQueue('caller', Buffer.from(`amqplib.double ${calls}`), { replyTo: queue })
  const [m] = await take(ch, queue)
  assert.equal(m.content.toString(), 'ok', JSON.stringify(m.properties.headers))
  await call(ch, 'amqplib.double', replyTo, calls)
  await other.close()
}

const start = Date.now()
await refusals()
const connection = await amqplib.connect(url, options)
const ch = await connection.createChannel()
const queue = await topology(ch)
await bodies(ch, queue)
await properties(ch, queue)
await redelivery(ch, queue)
await confirmsAndReturns(connection, queue)
await errors(connection, ch)
await failingCall(ch)
const callback = await ch.assertQueue('', { exclusive: true })
await call(ch, 'price', callback.queue, calls)
await call(ch, 'price', replyTo, calls)
await serveCalls(ch)
await connection.close()
const seconds = ((Date.now() - start) / 1000).toFixed(1)
console.log(`${calls} calls by a callback queue, ${calls} by direct reply-to, ${calls} of the broker's served, ${calls} of its own: ${seconds} s`)
