// CloudAMQP's amqp-client.js against the broker at AMQP_URL: refusals, and heartbeats of
// a second. It hangs up after one interval without a word of the server.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { AMQPClient } from '@cloudamqp/amqp-client'

const url = process.env.AMQP_URL

async function refusals() {
  const wrong = new URL(url)
  wrong.password = 'wrong'
  await assert.rejects(new AMQPClient(wrong.href).connect(), /403|ACCESS_REFUSED/)
  const unknown = new URL(url)
  unknown.pathname = '/none'
  await assert.rejects(new AMQPClient(unknown.href).connect(), /530|NOT_ALLOWED/)
}

await refusals()
const client = new AMQPClient(`${url}?heartbeat=1`)
client.onerror = (e) => assert.fail(e)
const connection = await client.connect()
const ch = await connection.channel()
const { name } = await ch.queueDeclare('', { exclusive: true })
await sleep(4000)
assert.equal(connection.closed, false)
await ch.basicPublish('', name, 'there still')
assert.equal((await ch.basicGet(name, { noAck: true })).bodyString(), 'there still')
await connection.close()
console.log('refusals are heard, heartbeats come in time')
