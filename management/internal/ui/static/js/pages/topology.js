import * as api from '../api.js'
import { el, svg } from '../dom.js'
import { count, short } from '../format.js'
import { graph } from '../graph.js'
import { layout } from '../layout.js'
import { heading } from '../parts.js'
import { change } from '../router.js'
import * as scope from '../scope.js'

export const title = 'Topology'

const mostQueues = 150 // in a picture that can be read
const mostConsumers = 2000
const nodeHeight = 34
const room = 44 // of a node with the gap below it

export async function load(page) {
  const vhost = scope.preset()
  const name = page.query.name
  const [queues, exchanges, bindings, consumers] = await Promise.all([
    api.get(['queues', vhost], { page: 1, page_size: mostQueues, name, sort: name ? undefined : 'message_stats.publish_details.rate', sort_reverse: name ? undefined : 'true' }, page.signal),
    api.get(['exchanges', vhost], { columns: 'name,type,message_stats' }, page.signal),
    bindingsOf(vhost, page),
    api.get(['consumers', vhost], { columns: 'consumer_tag,delivered,prefetch_count,queue.name,channel_details.name' }, page.signal),
  ])
  return { vhost, queues, exchanges, bindings, consumers: withRates(consumers.slice(0, mostConsumers), page) }
}

// shown asks again soon: rates of consumers need two answers.
export function shown(page) { setTimeout(page.refresh, 1500) }

// withRates gives consumers their rates since the last refresh.
function withRates(consumers, page) {
  const now = performance.now()
  const before = page.state.delivered
  const counts = new Map(consumers.map((c) => [`${c.queue?.name}\n${c.channel_details?.name}\n${c.consumer_tag}`, c.delivered]))
  const [names, seconds] = [[...counts.keys()], before ? (now - before.at) / 1000 : 0]
  if (!before || seconds >= 1) page.state.delivered = { at: now, counts }
  return consumers.map((c, i) => {
    const old = before?.counts.get(names[i])
    return { ...c, rate: old === undefined || seconds < 1 ? 0 : Math.max(0, (c.delivered - old) / seconds) }
  })
}

// bindingsOf asks for bindings less often if they are many: they change seldom.
async function bindingsOf(vhost, page) {
  const kept = page.state.bindings
  if (kept?.vhost === vhost && kept.rows.length > 2000 && ++kept.age < 6) return kept.rows
  const rows = await api.get(['bindings', vhost], { columns: 'source,destination,destination_type,routing_key' }, page.signal)
  page.state.bindings = { vhost, rows, age: 0 }
  return rows
}

export function view({ vhost, queues, exchanges, bindings, consumers }, page) {
  const name = page.query.name ?? ''
  const picture = graph({ vhost, exchanges: named(exchanges, bindings, name), bindings, queues: queues.items ?? queues, consumers, all: name === '' && (queues.items ?? queues).length < 40 })
  const left = (queues.filtered_count ?? 0) - (queues.items?.length ?? 0)
  return [
    heading({ title, about: `virtual host ${vhost}` }),
    el('div', { class: 'row tools', role: 'search' },
      el('input', { type: 'search', 'aria-label': 'Show only queues with this in their names', placeholder: 'Only queues with this in their names', value: name, oninput: (e) => filter(page, e.target.value) }),
      el('span', { class: 'quiet', role: 'status' }, `${count(queues.items?.length ?? 0)} of ${count(queues.total_count)} queues`, left > 0 && `; the ${count(left)} with the least traffic are left out: search by name`)),
    picture.nodes.length === 0
      ? el('div', { class: 'empty' }, name ? `No queue has "${name}" in its name.` : 'This virtual host has no queues and no exchanges of its own yet. Clients declare them.')
      : draw(picture),
    el('p', { class: 'quiet' }, 'From left to right: exchanges, queues, consumers. Numbers at lines are messages per second of now; ≈, ≤ and ≥ mark what is about, at most, and at least so, because messages have several ways. Dashed lines come from the default exchange, by which every queue is reached. Names lead to pages.'),
  ]
}

// named keeps all exchanges: those that lead to no shown queue are not drawn.
const named = (exchanges, bindings, name) => name === '' ? exchanges : exchanges.filter((x) => x.name === '' || bindings.some((b) => b.source === x.name))

function filter(page, name) {
  clearTimeout(page.state.typing)
  page.state.typing = setTimeout(() => {
    change({ name: name || undefined })
    page.query.name = name
    page.refresh()
  }, 250)
}

function draw({ nodes, edges }) {
  const size = sizes(nodes)
  const all = layout(nodes, edges, size)
  const strongest = Math.max(1, ...edges.map((e) => e.rate))
  const pad = 8
  return el('div', { class: 'scroll picture', tabindex: '0', role: 'region', 'aria-label': 'Picture of the topology', onpointermove: follow, onpointerleave: unfollow, onfocusin: follow, onfocusout: unfollow },
    svg('svg', { class: 'topology', width: all.width + 2 * pad, height: all.height + 2 * pad, viewBox: `${-pad} ${-pad} ${all.width + 2 * pad} ${all.height + 2 * pad}`, role: 'group' },
      svg('g', null, edges.map((e) => edge(e, strongest, size.width))), svg('g', null, nodes.map((n) => node(n, size.width))), svg('g', null, edges.filter((e) => e.rate > 0).map((e) => label(e, size.width)))))
}

// sizes fits the layers into the window, as far as names stay legible.
function sizes(nodes) {
  const layers = new Set(nodes.map((n) => n.layer)).size
  const each = (document.getElementById('main').clientWidth - 80) / Math.max(1, layers)
  const width = Math.min(210, Math.max(140, each * 0.62))
  return { width, room, gap: Math.min(190, Math.max(70, each - width)) }
}

function edge(e, strongest, width) {
  const keys = e.keys.slice(0, 8).map((k) => k === '' ? '(no key)' : k).join('\n') + (e.keys.length > 8 ? `\n+${e.keys.length - 8}` : '')
  return svg('path', {
    key: e.id, class: `edge ${e.rate > 0 ? 'flows' : ''} ${e.faint ? 'faint' : ''}`, 'data-from': e.from.id, 'data-to': e.to.id,
    d: curve(e, width), 'stroke-width': e.rate > 0 ? 1.5 + 3 * Math.sqrt(e.rate / strongest) : 1,
  }, svg('title', null, keys))
}

// curve goes from an edge's beginning through its points to its end, level at each.
function curve(e, width) {
  const stops = [[e.from.x + width, e.from.y], ...e.via.flatMap((p) => [[p.x, p.y], [p.x + width, p.y]]), [e.to.x, e.to.y]].map((s) => s.map((n) => Math.round(n * 10) / 10))
  return stops.map(([x, y], i) => {
    if (i === 0) return `M${x} ${y}`
    const [left, from] = stops[i - 1]
    const middle = (left + x) / 2
    return from === y ? `L${x} ${y}` : `C${middle} ${from} ${middle} ${y} ${x} ${y}`
  }).join('')
}

// label is the rate at an edge, near its end where edges are apart.
function label(e, width) {
  const last = e.via.at(-1) ?? e.from
  const [x1, y1, x2, y2] = [last.x + width, last.y, e.to.x, e.to.y]
  const t = 0.64
  const bezier = (a, b, c, d) => a * (1 - t) ** 3 + 3 * b * (1 - t) ** 2 * t + 3 * c * (1 - t) * t ** 2 + d * t ** 3
  const middle = (x1 + x2) / 2
  return svg('text', { key: e.id, class: 'edge-rate', 'data-from': e.from.id, 'data-to': e.to.id, x: Math.round(bezier(x1, middle, middle, x2)), y: Math.round(bezier(y1, y1, y2, y2)) + 4, 'text-anchor': 'middle' }, `${e.mark ?? ''}${short(e.rate)}/s`)
}

function node(n, width) {
  const under = [n.note, n.messages > 0 && `${short(n.messages)} ${n.kind === 'stream' ? 'kept' : 'waiting'}`, n.kind === 'exchange' && n.rate > 0 && `in ${short(n.rate)}/s`].filter(Boolean).join(' · ')
  const x = n.x + 13
  return svg('a', { key: n.id, class: `node ${n.kind}`, href: n.href, 'data-id': n.id, 'aria-label': `${n.kind} ${n.text} ${under}` },
    svg('rect', { x: n.x, y: n.y - nodeHeight / 2, width, height: nodeHeight, rx: n.kind === 'exchange' ? nodeHeight / 2 : 5 }),
    svg('text', { class: 'node-name', x, y: n.y + (under ? -2 : 4) }, cut(n.text, Math.floor((width - 24) / 7.2))),
    under && svg('text', { class: 'node-note', x, y: n.y + 11 }, cut(under, Math.floor((width - 24) / 5.8))),
    svg('title', null, n.text))
}

const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text

// follow marks the edges of the node under the pointer or with the focus.
function follow(event) {
  const id = event.target.closest?.('.node')?.dataset.id
  for (const e of event.currentTarget.querySelectorAll('.edge, .edge-rate')) {
    e.classList.toggle('marked', id !== undefined && (e.dataset.from === id || e.dataset.to === id))
  }
  event.currentTarget.classList.toggle('following', id !== undefined)
}

function unfollow(event) {
  event.currentTarget.classList.remove('following')
}

