import * as api from '../api.js'
import { chart } from '../chart.js'
import * as charts from '../charts.js'
import { el } from '../dom.js'
import { bytes, count, rate, span } from '../format.js'
import { facts, heading, section, tile, tiles } from '../parts.js'
import { link } from '../router.js'
import { gauge, query, Recorder } from '../samples.js'
import * as session from '../session.js'
import { table } from '../table.js'

export const title = 'Overview'

const seen = new Recorder() // of all visits: the server may keep no history of a node

export async function load(page) {
  const q = query(charts.range(page))
  const [overview, nodes] = await Promise.all([api.get(['overview'], q, page.signal), session.is('monitoring') ? api.get(['nodes'], q, page.signal) : []])
  const node = nodes[0]
  if (node) seen.add({ mem_used: node.mem_used, disk_free: node.disk_free })
  return { overview, node }
}

export function view({ overview, node }, page) {
  const totals = overview.queue_totals ?? {}
  const stats = overview.message_stats ?? {}
  const objects = overview.object_totals ?? {}
  const per = (name) => rate(stats[`${name}_details`]?.rate ?? 0)
  const version = [overview.product_name ?? 'RabbitMQ', overview.product_version ?? overview.rabbitmq_version].join(' ')
  return [
    heading({ title, about: version, actions: [charts.rangePicker(page)] }),
    tiles(
      tile('Ready', count(totals.messages_ready ?? 0), { href: link(['queues'], { sort: 'messages_ready', reverse: 1 }) }),
      tile('Unacked', count(totals.messages_unacknowledged ?? 0), { href: link(['queues'], { sort: 'messages_unacknowledged', reverse: 1 }) }),
      tile('Publish', per('publish')), tile('Deliver', per('deliver_get')), tile('Ack', per('ack')),
      tile('Connections', count(objects.connections), { href: link(['connections']) }), tile('Channels', count(objects.channels), { href: link(['channels']) }),
      tile('Consumers', count(objects.consumers), { href: link(['consumers']) }), tile('Queues', count(objects.queues), { href: link(['queues']) }),
      tile('Exchanges', count(objects.exchanges), { href: link(['exchanges']) })),
    el('div', { class: 'grid' }, el('section', { class: 'card' }, charts.flow(stats, page)), el('section', { class: 'card' }, charts.lengths(totals, page)), node && resources(node, page)),
    el('div', { class: 'grid narrow' }, churn(overview.churn_rates ?? {}), node && nodeFacts(node, overview), listeners(overview.listeners ?? [])),
  ]
}

// history prefers what the server has kept to what this page has seen.
function history(node, name, page) {
  const kept = gauge(node, name)
  return kept.length > 0 ? kept : seen.points(name, charts.range(page))
}

function resources(node, page) {
  const share = node.mem_limit > 0 ? ` of ${bytes(node.mem_limit)}` : ''
  return [
    el('section', { class: 'card' }, chart({
      title: `Memory${share}`, write: bytes, binary: true, range: charts.range(page), limit: node.mem_limit > 0 ? node.mem_limit : undefined,
      series: [{ name: 'Used', color: 5, area: true, points: history(node, 'mem_used', page), value: node.mem_used, hint: 'Memory that counts towards the limit at which publishers are held back' }],
    })),
    node.disk_free > 0 || node.disk_free_limit > 0 ? el('section', { class: 'card' }, chart({
      title: `Disk, alarm below ${bytes(node.disk_free_limit)}`, write: bytes, binary: true, range: charts.range(page), limit: node.disk_free_limit > 0 ? node.disk_free_limit : undefined,
      series: [{ name: 'Free', color: 2, area: true, points: history(node, 'disk_free', page), value: node.disk_free, hint: 'Free space of the disk' }],
    })) : section('Disk', el('p', { class: 'quiet' }, 'This broker has no directory. It keeps everything in memory, and forgets it when its program ends.')),
  ]
}

function churn(rates) {
  const rows = [['Connections', 'connection_created', 'connection_closed'], ['Channels', 'channel_created', 'channel_closed'], ['Queues', 'queue_created', 'queue_deleted']]
  const cell = (name) => [count(rates[name] ?? 0), ' ', el('small', { class: 'inline-small' }, rate(rates[`${name}_details`]?.rate ?? 0))]
  return section('Churn', table({
    caption: 'Objects opened and closed', rows,
    columns: [{ title: '', cell: (r) => r[0] }, { title: 'Opened', num: true, cell: (r) => cell(r[1]) }, { title: 'Closed', num: true, cell: (r) => cell(r[2]) }],
  }), el('p', { class: 'quiet' }, 'Many openings per second mean that clients connect anew for each message: they should keep connections and channels.'))
}

function nodeFacts(node, overview) {
  return section('Node', facts(['Name', el('span', { class: 'name' }, node.name)], ['Up for', span(node.uptime)],
    ['File descriptors', node.fd_total > 0 ? `${count(node.fd_used)} of ${count(node.fd_total)}` : undefined],
    ['Processors', count(node.processors)], ['Process', node.os_pid], ['Cluster', overview.cluster_name]))
}

function listeners(all) {
  return section('Listeners', table({
    caption: 'Listeners', rows: all, empty: 'This program has told the pages of no listener. Clients in the same program need none.',
    columns: [{ title: 'Protocol', cell: (l) => l.protocol }, { title: 'Address', cell: (l) => el('span', { class: 'name' }, l.ip_address) }, { title: 'Port', num: true, cell: (l) => l.port }],
  }))
}
