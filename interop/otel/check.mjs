// amqplib with OpenTelemetry's propagators against otel/internal/traced at AMQP_URL.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import amqplib from 'amqplib'
import { context, defaultTextMapGetter, defaultTextMapSetter, propagation, trace, TraceFlags } from '@opentelemetry/api'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'

const replyTo = 'amq.rabbitmq.reply-to'
const propagator = new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] })

// begin is a span of this program, and the headers of what is sent in it.
function begin() {
  const span = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex'), traceFlags: TraceFlags.SAMPLED }
  let ctx = trace.setSpanContext(context.active(), span)
  ctx = propagation.setBaggage(ctx, propagation.createBaggage({ user: { value: 'naïve 7' } }))
  const headers = {}
  propagator.inject(ctx, headers, defaultTextMapSetter)
  assert.ok(headers.traceparent && headers.baggage)
  return { span, headers }
}

// received is what the headers of a message say.
function received(message) {
  const ctx = propagator.extract(context.active(), message.properties.headers, defaultTextMapGetter)
  const span = trace.getSpanContext(ctx)
  assert.ok(span, 'there is a context')
  return { span, user: propagation.getBaggage(ctx)?.getEntry('user')?.value }
}

const connection = await amqplib.connect(process.env.AMQP_URL, { noDelay: true })
const ch = await connection.createChannel()
const waiting = []
await ch.consume(replyTo, (m) => waiting.shift()(m), { noAck: true })

function ask(queue, body, headers = {}) {
  const reply = new Promise((resolve) => waiting.push(resolve))
  ch.sendToQueue(queue, Buffer.from(body), { replyTo, correlationId: 'c', headers })
  return reply
}

// spans are n spans of the broker, by name. The last ones may end after what they sent
// has come.
async function spans(n) {
  const got = {}
  const end = Date.now() + 10_000
  while (Object.keys(got).length < n) {
    assert.ok(Date.now() < end, `there are only ${Object.keys(got)}`)
    for (const s of JSON.parse((await ask('spans', '')).content)) got[s.name] = s
  }
  assert.equal(Object.keys(got).length, n)
  return got
}

async function call() {
  const { span, headers } = begin()
  const reply = await ask('price', '21', headers)
  assert.equal(reply.content.toString(), '42')
  const all = await spans(2)
  assert.equal(all['process price'].parent, span.spanId)
  assert.equal(all['reply price'].parent, all['process price'].id)
  assert.deepEqual(all['reply price'].links, [span.spanId])
  const got = received(reply)
  assert.equal(got.span.traceId, span.traceId)
  assert.equal(got.span.spanId, all['reply price'].id)
  assert.equal(got.user, 'naïve 7')
}

async function job() {
  const { span, headers } = begin()
  let resolve
  const done = new Promise((r) => { resolve = r })
  const { consumerTag } = await ch.consume('done', resolve, { noAck: true })
  ch.sendToQueue('jobs', Buffer.from('work'), { headers })
  const m = await done
  await ch.cancel(consumerTag)
  const all = await spans(2)
  assert.equal(all['process jobs'].parent, span.spanId)
  const got = received(m)
  assert.equal(got.span.traceId, span.traceId)
  assert.equal(got.span.spanId, all['publish done'].id)
  assert.equal(got.user, 'naïve 7')
}

// served is a server here that the broker's program calls.
async function served() {
  const { span, headers } = begin()
  const { queue } = await ch.assertQueue('', { exclusive: true })
  let request
  await ch.consume(queue, (m) => {
    request = m
    ch.sendToQueue(m.properties.replyTo, Buffer.from(String(2 * Number(m.content))), { correlationId: m.properties.correlationId })
  }, { noAck: true })
  assert.equal((await ask('caller', queue, headers)).content.toString(), '42')
  const all = await spans(3)
  const got = received(request)
  assert.equal(got.span.traceId, span.traceId)
  assert.equal(got.span.spanId, all[`call ${queue}`].id)
  assert.equal(all[`call ${queue}`].parent, all['process caller'].id)
  assert.equal(got.user, 'naïve 7')
}

await call()
await job()
await served()
await connection.close()
console.log('ok')
