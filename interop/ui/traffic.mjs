// Clients of a shop, for pages that have something to show. Each publishes or consumes
// until the traffic is stopped.
import amqplib from 'amqplib'

const queues = [
  ['billing', 'orders', 'order.paid', 1],
  ['shipping', 'orders', 'order.paid', 2],
  ['reports', 'orders', 'order.#', 0],
  ['returns', 'orders', 'order.returned', 1],
  ['audit', 'events', '', 1],
  ['search-index', 'events', '', 3],
]

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
  const channels = [publisher]
  for (const [name, exchange, key, consumers] of queues) {
    await publisher.assertQueue(name, { durable: true })
    await publisher.bindQueue(name, exchange, key)
    for (let i = 0; i < consumers; i++) {
      const channel = await back.createChannel()
      channels.push(channel)
      await channel.prefetch(20)
      await channel.consume(name, (m) => { if (m) setTimeout(() => { try { channel.ack(m) } catch { /* closed meanwhile */ } }, name === 'billing' ? 60 : 5) }, { consumerTag: `${name}-${i + 1}` })
    }
  }
  let sent = 0
  const timer = setInterval(() => {
    for (let i = 0; i < rate / 20; i++) {
      const key = ['order.placed', 'order.paid', 'order.paid', 'order.returned'][sent++ % 4]
      publisher.publish('orders', key, Buffer.from(JSON.stringify({ order: sent, items: [{ article: sent % 97, pieces: 1 + sent % 3 }], total: (sent * 37 % 9000) / 100 })), {
        persistent: true, contentType: 'application/json', messageId: `m-${sent}`, headers: { tenant: 'north', attempt: 1 },
      })
    }
  }, 50)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.allSettled([shop.close(), back.close()])
    },
  }
}
