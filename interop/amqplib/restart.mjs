// amqplib before and after a restart of the broker at AMQP_URL. "restart.mjs leave"
// makes things, "restart.mjs found" looks for them after an orderly restart, and
// "restart.mjs crashed" after a crash.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import amqplib from 'amqplib'

const messages = 1000
const delay = 1000 // milliseconds
const name = 'amqplib.restart'
const queueOptions = { durable: true, maxPriority: 3, messageTtl: 3600000 }
const streamOptions = { durable: true, arguments: { 'x-queue-type': 'stream' } }

// sent are the properties of message i.
const sent = (i) => ({
  contentType: 'text/plain', contentEncoding: 'utf-8', headers: { number: i, list: [1, 'two', null], table: { a: { b: true } } },
  deliveryMode: 2, priority: 0, correlationId: `c${i}`, replyTo: 'r', expiration: '3600000', messageId: `m${i}`, timestamp: 1700000000,
  type: 't', userId: new URL(process.env.AMQP_URL).username, appId: 'a',
})

async function leave(connection) {
  const ch = await connection.createConfirmChannel()
  await ch.assertExchange(name, 'topic')
  await ch.assertQueue(name, queueOptions)
  await ch.bindQueue(name, name, 'order.#')
  await ch.assertExchange(`${name}.passing`, 'fanout', { durable: false })
  await ch.assertQueue(`${name}.passing`, { durable: false })
  for (let i = 0; i < messages; i++) ch.publish(name, `order.${i}`, Buffer.from(String(i)), sent(i))
  ch.publish(name, 'order.transient', Buffer.from('transient'), { deliveryMode: 1 })
  ch.sendToQueue(`${name}.passing`, Buffer.from('passing'), { deliveryMode: 2 })
  await ch.waitForConfirms()

  // Message 0 is acked, 1 and 2 come back.
  const reader = await connection.createChannel()
  reader.ack(await reader.get(name))
  await reader.get(name)
  await reader.get(name)
  await reader.close()

  await ch.assertExchange(`${name}.delayed`, 'x-delayed-message', { arguments: { 'x-delayed-type': 'fanout' } })
  await ch.assertQueue(`${name}.delayed`)
  await ch.bindQueue(`${name}.delayed`, `${name}.delayed`, '')
  for (const d of [delay, delay / 2]) ch.publish(`${name}.delayed`, '', Buffer.from(String(d)), { deliveryMode: 2, headers: { 'x-delay': d } })
  await ch.assertQueue(`${name}.stream`, streamOptions)
  for (let i = 0; i < 100; i++) ch.sendToQueue(`${name}.stream`, Buffer.from(String(i)), sent(i))
  await ch.waitForConfirms() // they come after the acks, so these are on disk, too
}

async function gone(connection, check) {
  const ch = await connection.createChannel()
  const closed = once(ch, 'error')
  await assert.rejects(check(ch))
  assert.equal((await closed)[0].code, 404)
}

// same wants a message to have what message i was sent with.
function same(m, i) {
  assert.equal(m.content.toString(), String(i))
  for (const [key, value] of Object.entries(sent(i))) assert.deepEqual(m.properties[key], value, `${key} of message ${i}`)
}

async function found(connection, crashed) {
  await gone(connection, (ch) => ch.checkExchange(`${name}.passing`))
  await gone(connection, (ch) => ch.checkQueue(`${name}.passing`))
  const ch = await connection.createConfirmChannel()
  await ch.assertExchange(name, 'topic')
  assert.equal((await ch.assertQueue(name, queueOptions)).messageCount, messages - 1)

  for (let i = 1; i < messages; i++) {
    const m = await ch.get(name)
    assert.ok(m, `message ${i} is not there`)
    same(m, i)
    assert.equal(m.fields.routingKey, `order.${i}`)
    assert.equal(m.fields.exchange, name)
    assert.equal(m.fields.redelivered, crashed || i <= 2, `redelivered, message ${i}`)
    ch.ack(m)
  }
  assert.equal(await ch.get(name), false, 'a transient message is still there')
  ch.publish(name, 'order.new', Buffer.from('new')) // the binding is there
  await ch.waitForConfirms()
  assert.equal((await ch.get(name, { noAck: true })).fields.redelivered, false)

  for (const d of [delay / 2, delay]) {
    let m
    for (const deadline = Date.now() + 10000; !(m = await ch.get(`${name}.delayed`, { noAck: true })); await sleep(10)) {
      assert.ok(Date.now() < deadline, 'a delayed message has not come')
    }
    assert.equal(m.content.toString(), String(d))
  }

  await ch.prefetch(10)
  let offset = 0
  await new Promise((resolve, reject) => {
    ch.consume(`${name}.stream`, (m) => {
      try {
        assert.equal(m.properties.headers['x-stream-offset'], offset)
        delete m.properties.headers['x-stream-offset']
        same(m, offset)
        ch.ack(m)
        if (++offset === 100) resolve()
      } catch (e) {
        reject(e)
      }
    }, { arguments: { 'x-stream-offset': 'first' } })
  })

  for (const exchange of [name, `${name}.delayed`]) await ch.deleteExchange(exchange)
  for (const queue of [name, `${name}.delayed`, `${name}.stream`]) await ch.deleteQueue(queue)
}

const connection = await amqplib.connect(process.env.AMQP_URL, { noDelay: true })
const part = process.argv[2]
if (part === 'leave') await leave(connection)
else await found(connection, part === 'crashed')
await connection.close()
