// The graph of the topology picture: from lists of the API to nodes and edges.
import { exchangePath, exchangeText } from './parts.js'
import { link } from './router.js'

// The broker counts what comes to an exchange from publishers, and to a queue from
// everywhere, but not what passes a binding. A binding's rate is known if its messages
// have no other way; else its edge has a bound: at most, or at least.

const rateOf = (stats, name) => stats?.[`${name}_details`]?.rate ?? 0

// graph makes {nodes, edges} of a virtual host's exchanges, bindings, queues and
// consumers. Exchanges without bindings are left out, as are bindings of queues that
// are not among those given. all adds exchanges that nothing is bound to.
export function graph({ vhost, exchanges, bindings, queues, consumers, all }) {
  const queueNodes = new Map(queues.map((q) => [q.name, queueNode(vhost, q)]))
  const kept = bindings.filter((b) => b.source !== '' && (b.destination_type === 'exchange' || queueNodes.has(b.destination)))
  const byName = new Map(exchanges.map((x) => [x.name, x]))
  const exchangeNodes = new Map()
  const exchange = (name) => {
    if (!exchangeNodes.has(name)) exchangeNodes.set(name, exchangeNode(vhost, byName.get(name) ?? { name, type: '' }))
    return exchangeNodes.get(name)
  }
  const edges = new Map()
  const join = (from, to, text) => {
    const id = `${from.id}>${to.id}`
    if (!edges.has(id)) edges.set(id, { id, from, to, keys: [], rate: 0 })
    if (text !== undefined) edges.get(id).keys.push(text)
    return edges.get(id)
  }
  reachable(kept, queueNodes).forEach((b) => {
    join(exchange(b.source), b.destination_type === 'exchange' ? exchange(b.destination) : queueNodes.get(b.destination), b.routing_key)
  })
  if (all) exchanges.filter((x) => x.name !== '' && !x.name.startsWith('amq.')).forEach((x) => exchange(x.name))
  const bound = new Set([...edges.values()].map((e) => e.to.id))
  for (const q of queueNodes.values()) {
    if (!bound.has(q.id) && byName.has('')) join(exchange(''), q).faint = true
  }
  const consumerNodes = joinConsumers(consumers, queueNodes, join, queues.length > 40 ? 0 : 4)
  const depth = toLayers([...exchangeNodes.values()], [...edges.values()])
  for (const n of queueNodes.values()) n.layer = depth
  measure([...edges.values()], byName.get(''))
  for (const n of consumerNodes) n.layer = depth + 1
  return { nodes: [...exchangeNodes.values(), ...queueNodes.values(), ...consumerNodes], edges: [...edges.values()] }
}

// reachable leaves out bindings of exchanges that lead to no queue shown, unless there
// are no queues.
function reachable(bindings, queues) {
  const into = new Map()
  for (const b of bindings) {
    const end = `${b.destination_type} ${b.destination}`
    if (!into.has(end)) into.set(end, [])
    into.get(end).push(b)
  }
  const found = new Set()
  const walk = (end) => {
    for (const b of into.get(end) ?? []) {
      if (found.has(b)) continue
      found.add(b)
      walk(`exchange ${b.source}`)
    }
  }
  for (const name of queues.keys()) walk(`queue ${name}`)
  return found
}

function exchangeNode(vhost, x) {
  return {
    id: `x ${x.name}`, kind: 'exchange', text: exchangeText(x.name), note: x.type, href: link(['exchanges', vhost, exchangePath(x.name)]),
    rate: rateOf(x.message_stats, 'publish_in'), out: rateOf(x.message_stats, 'publish_out'),
  }
}

function queueNode(vhost, q) {
  const messages = (q.messages_ready ?? 0) + (q.messages_unacknowledged ?? 0)
  return {
    id: `q ${q.name}`, kind: q.type === 'stream' ? 'stream' : 'queue', text: q.name, note: q.type === 'stream' ? 'stream' : '', href: link(['queues', vhost, q.name]),
    rate: rateOf(q.message_stats, 'publish'), out: rateOf(q.message_stats, 'deliver_get'), messages,
  }
}

// measure gives the edges from exchanges their rates. An edge's mark says what the rate
// is: nothing for the rate itself, ≈ if it is near, or ≤ or ≥ for a bound of it.
function measure(edges, defaultExchange) {
  const into = Map.groupBy(edges, (e) => e.to)
  const outOf = Map.groupBy(edges, (e) => e.from)
  // may is the most that can come out of an exchange towards one destination.
  const may = (x) => into.has(x) ? Infinity : x.out
  const byDefault = edges.filter((e) => e.faint)
  const others = rateOf(defaultExchange?.message_stats, 'publish_out') - byDefault.reduce((sum, e) => sum + e.to.rate, 0)
  // What the default exchange has passed on besides may have gone to queues that are
  // bound to others, too; it may also be replies, which no queue takes.
  const direct = (e) => e.faint || others < 1 || others < e.to.rate * 0.03 ? '' : others < e.to.rate * 0.25 ? '≈ ' : '≤ '
  const fromExchanges = edges.filter((e) => e.from.kind === 'exchange')
  for (const e of fromExchanges.filter((e) => e.to.kind !== 'exchange')) {
    const ways = into.get(e.to).filter((w) => may(w.from) > 0).length
    e.rate = may(e.from) > 0 ? Math.min(e.to.rate, may(e.from)) : 0
    e.mark = ways > 1 ? '≤ ' : direct(e)
  }
  const between = fromExchanges.filter((e) => e.to.kind === 'exchange').sort((a, b) => b.to.layer - a.to.layer)
  for (const e of between) {
    const onward = outOf.get(e.to) ?? []
    const most = (edges) => Math.max(0, ...edges.map((o) => o.rate))
    const [known, bound] = [most(onward.filter((o) => o.mark === '' || o.mark === '≈ ')), most(onward)]
    if (into.get(e.to).length > 1) e.rate = 0 // it has several ways
    else e.rate = known > 0 ? known : bound
    if (known === 0 && bound > 0) e.mark = '≤ '
    else if (e.to.note !== 'fanout' && e.rate < may(e.from) * 0.95) e.mark = '≥ '
    else e.mark = known > 0 && onward.every((o) => o.mark !== '') ? '≈ ' : ''
  }
}

// joinConsumers adds up to most consumers of each queue by themselves, and the others
// together.
function joinConsumers(consumers, queueNodes, join, most) {
  const nodes = []
  for (const [name, all] of Map.groupBy(consumers, (c) => c.queue?.name)) {
    const queue = queueNodes.get(name)
    if (!queue) continue
    const rates = all.map((c) => c.rate ?? 0)
    const alone = all.length <= most ? all.length : Math.max(0, most - 1)
    all.slice(0, alone).forEach((c, i) => {
      const handler = !c.channel_details?.name
      const node = { id: `c ${name} ${c.channel_details?.name} ${c.consumer_tag}`, kind: handler ? 'handler' : 'consumer', text: handler ? 'handler' : c.consumer_tag, note: handler && c.prefetch_count > 0 ? `${c.prefetch_count} at a time` : '', href: handler ? link(['rpc']) : link(['channels', c.channel_details.name]) }
      nodes.push(node)
      const edge = join(queue, node)
      edge.rate = rates[i]
    })
    if (alone < all.length) {
      const rest = all.length - alone
      const node = { id: `c ${name}`, kind: 'consumer', text: `${rest} ${alone > 0 ? 'more ' : ''}consumer${rest === 1 ? '' : 's'}`, note: '', href: queue.href }
      nodes.push(node)
      const edge = join(queue, node)
      edge.rate = rates.slice(alone).reduce((a, b) => a + b)
    }
  }
  return nodes
}

// toLayers gives exchanges their layers, so that bindings between them lead to the right,
// and returns the next layer. Circles of exchanges end at the limit.
function toLayers(exchanges, edges) {
  for (const x of exchanges) x.layer = 0
  const between = edges.filter((e) => e.to.kind === 'exchange')
  const limit = Math.min(4, exchanges.length - 1)
  for (let round = 0; round < limit; round++) {
    for (const e of between) e.to.layer = Math.max(e.to.layer, Math.min(limit, e.from.layer + 1))
  }
  const depth = Math.max(-1, ...exchanges.map((x) => x.layer)) + 1
  const leads = new Set(between.map((e) => e.from))
  for (const x of exchanges) if (!leads.has(x)) x.layer = depth - 1 // next to the queues
  return depth
}
