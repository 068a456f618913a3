// rabbitmq-client against the broker at AMQP_URL: refusals, which it must hear at once,
// and a call.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Connection } from 'rabbitmq-client'

const url = process.env.AMQP_URL

// refused connects, and gives the first error and how long it took.
async function refused(change) {
  const u = new URL(url)
  Object.assign(u, change)
  const start = performance.now()
  const connection = new Connection({ url: u.href, retryLow: 1e6, connectionTimeout: 5000 })
  const [error] = await once(connection.on('connection', () => connection.emit('error', new Error('let in'))), 'error')
  const took = performance.now() - start
  await connection.close()
  return { error, took }
}

await refused({ password: 'wrong' }) // the first one takes as long as the client's start
const wrong = await refused({ password: 'wrong' })
assert.equal(wrong.error.code, 'ACCESS_REFUSED', wrong.error)
assert.ok(wrong.took < 500, `a typo was answered after ${wrong.took} ms`)
const unknown = await refused({ pathname: '/none' })
assert.equal(unknown.error.code, 'NOT_ALLOWED', unknown.error)

const connection = new Connection(url)
// With confirms it forgets an answer that comes before the confirm, which any broker may send
// in this order, so it may try again.
const rpc = connection.createRPCClient({ confirm: true, timeout: 5000, maxAttempts: 3 })
const reply = await rpc.send('price', Buffer.from('21'))
assert.equal(reply.body.toString(), '42')
await rpc.close()
await connection.close()
console.log(`refusals are heard, the second wrong password after ${wrong.took.toFixed(1)} ms`)
