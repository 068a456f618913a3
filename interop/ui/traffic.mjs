// Clients of a shop, for pages that have something to show. Each publishes or consumes
// until the traffic is stopped.
import amqplib from 'amqplib'

// Queues, what they are bound to, how many consumers they have, and after how many
// milliseconds a consumer acks.
const queues = [
  ['billing', 'orders', 'order.paid', 1, 60],
  ['shipping', 'orders', 'order.paid', 2, 5],
  ['reports', 'orders', 'order.#', 0],
  ['returns', 'orders', 'order.returned', 1, 400],
  ['audit', 'events', '', 1, 5],
  ['search-index', 'events', '', 3, 20],
]

// consume begins a consumer that acks each message some time after it came.
async function consume(connection, queue, consumerTag, after) {
  const channel = await connection.createChannel()
  await channel.prefetch(200)
  await channel.consume(queue, (m) => { if (m) setTimeout(() => settle(() => channel.ack(m)), after) }, { consumerTag })
}

// nightly takes what waits for reports every ten seconds, as batches do.
async function nightly(connection) {
  const channel = await connection.createChannel()
  return setInterval(async () => {
    await settle(async () => {
      const { consumerTag } = await channel.consume('reports', (m) => { if (m) settle(() => channel.ack(m)) })
      setTimeout(() => settle(() => channel.cancel(consumerTag)), 3000)
    })
  }, 10000)
}

// caller asks a handler and gets the replies by direct reply-to.
async function caller(connection) {
  const channel = await connection.createChannel()
  await channel.consume('amq.rabbitmq.reply-to', () => {}, { noAck: true, consumerTag: 'prices' })
  let n = 0
  return setInterval(() => settle(() => channel.sendToQueue('rpc.price', Buffer.from(JSON.stringify({ Article: n++ })), { replyTo: 'amq.rabbitmq.reply-to', correlationId: String(n), contentType: 'application/json' })), 40)
}

// settle does something unless the channel has been closed meanwhile.
async function settle(run) {
  try { await run() } catch { /* the traffic has been stopped, or the broker has */ }
}

// start connects clients and returns what stops them. rate is messages per second.
export async function start(url, rate = 200) {
  const open = async (name) => {
    const connection = await amqplib.connect(url, { noDelay: true, clientProperties: { connection_name: name } })
    connection.on('error', () => {})
    return connection
  }
  const shop = await open('web shop')
  const back = await open('back office')
  const publisher = await shop.createConfirmChannel()
  await publisher.assertExchange('orders', 'topic', { durable: true })
  await publisher.assertExchange('events', 'fanout', { durable: true })
  await publisher.assertExchange('unrouted', 'fanout', { durable: true })
  await publisher.bindExchange('events', 'orders', 'order.#')
  await publisher.assertQueue('history', { durable: true, arguments: { 'x-queue-type': 'stream' } })
  await publisher.bindQueue('history', 'events', '')
  await publisher.assertQueue('lost-and-found', { durable: true, arguments: { 'x-max-length': 1000, 'x-message-ttl': 3600000 } })
  await publisher.bindQueue('lost-and-found', 'unrouted', '')
  for (const [name, exchange, key, consumers, after] of queues) {
    await publisher.assertQueue(name, { durable: true })
    await publisher.bindQueue(name, exchange, key)
    for (let i = 1; i <= consumers; i++) await consume(back, name, `${name}-${i}`, after)
  }
  const timers = [await nightly(back), await caller(shop)]
  let sent = 0
  const timer = setInterval(() => {
    const now = rate / 20 * (1 + 0.4 * Math.sin(Date.now() / 6000))
    for (let i = 0; i < now; i++) {
      const key = ['order.placed', 'order.paid', 'order.paid', 'order.returned'][sent++ % 4]
      publisher.publish('orders', key, Buffer.from(JSON.stringify({ order: sent, items: [{ article: sent % 97, pieces: 1 + sent % 3 }], total: (sent * 37 % 9000) / 100 })), {
        persistent: true, contentType: 'application/json', messageId: `m-${sent}`, headers: { tenant: 'north', attempt: 1 },
      })
    }
  }, 50)
  return {
    async stop() {
      clearInterval(timer)
      timers.forEach(clearInterval)
      await Promise.allSettled([shop.close(), back.close()])
    },
  }
}
