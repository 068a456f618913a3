import * as api from '../api.js'
import { chart } from '../chart.js'
import * as charts from '../charts.js'
import { el, svg } from '../dom.js'
import { count, millis, rate, short } from '../format.js'
import { badge, heading, section, tile, tiles, toConnection, toQueue, toVhost } from '../parts.js'
import { Recorder } from '../samples.js'
import * as scope from '../scope.js'
import { table } from '../table.js'

export const title = 'RPC'

const seen = new Map() // by virtual host, of all visits: the server keeps no history of these
const most = 200 // rows of a table

export async function load(page) {
  const vhost = scope.vhost()
  const rpc = await api.get(['warren', 'rpc'], { vhost }, page.signal)
  if (!seen.has(vhost)) seen.set(vhost, new Recorder())
  const timed = rpc.handlers.filter((h) => h.timed > 0)
  seen.get(vhost).add({
    served: sum(rpc.handlers, (h) => h.served_details?.rate), failed: sum(rpc.handlers, (h) => h.failed_details?.rate), waiting: rpc.calls.waiting,
    p50: timed.length > 0 ? Math.max(...timed.map((h) => h.p50_ms)) : undefined, p99: timed.length > 0 ? Math.max(...timed.map((h) => h.p99_ms)) : undefined,
  })
  return rpc
}

// shown asks again soon: a line needs two points.
export function shown(page) { setTimeout(page.refresh, 2000) }

const sum = (rows, of) => rows.reduce((n, row) => n + (of(row) ?? 0), 0)

export function view(rpc, page) {
  const handlers = [...rpc.handlers].sort((a, b) => (b.served_details?.rate ?? 0) - (a.served_details?.rate ?? 0) || (a.queue < b.queue ? -1 : 1))
  const fast = rpc.too_fast_details?.rate ?? 0
  const late = rpc.too_late_details?.rate ?? 0
  return [
    heading({ title, about: `${count(handlers.length)} handlers`, actions: [charts.rangePicker(page)] }),
    tiles(
      tile('Calls waiting', count(rpc.calls.waiting)), tile('Oldest call', rpc.calls.oldest_ms > 0 ? millis(rpc.calls.oldest_ms) : '–'),
      tile('Served', rate(sum(handlers, (h) => h.served_details?.rate))), tile('Failed', rate(sum(handlers, (h) => h.failed_details?.rate))),
      tile('Replies', rate(rpc.replies_details?.rate ?? 0), { note: `${count(rpc.replies)} in all` }),
      tile('Replies too late', rate(late), { note: `${count(rpc.too_late)} in all`, kind: late > 0 ? 'warn' : '' }),
      tile('Replies too fast', rate(fast), { note: `${count(rpc.too_fast)} in all`, kind: fast > 0 ? 'warn' : '' }),
      tile('Reply consumers', count(rpc.reply_consumers.length))),
    el('div', { class: 'grid narrow' }, figures(page)),
    section('Handlers', handlerTable(handlers.slice(0, most)), note(handlers)),
    section('Callers by channel', callers(rpc.reply_consumers.slice(0, most)), note(rpc.reply_consumers)),
    el('p', { class: 'quiet' }, 'Too late: the requester had gone before its reply. Too fast: a requester read more slowly than replies came, and its buffer was full. Addresses of replies are secret and not shown.'),
  ]
}

const note = (all) => all.length > most && el('p', { class: 'quiet' }, `${count(all.length - most)} more are left out; choose a virtual host above.`)

function figures(page) {
  const kept = seen.get(scope.vhost())
  const range = charts.range(page)
  const line = (name, of, color, hint) => ({ name, color, hint, points: kept.points(of, range) })
  return [
    el('section', { class: 'card' }, chart({ title: 'Requests', write: rate, range, series: [line('Served', 'served', 1, 'Requests whose function has returned'), line('Failed', 'failed', 4, 'Of these, those that returned an error or panicked')] })),
    el('section', { class: 'card' }, chart({ title: 'Slowest handler, last minute', write: millis, range, series: [line('p50', 'p50', 2, 'Half of the requests took no longer'), line('p99', 'p99', 3, 'All but one in a hundred took no longer')] })),
    el('section', { class: 'card' }, chart({ title: 'Calls waiting', write: short, range, series: [line('Waiting', 'waiting', 5, 'Calls that wait for their answer')] })),
  ]
}

function handlerTable(rows) {
  const slowest = Math.max(...rows.map((h) => h.p99_ms ?? 0), 0)
  return table({
    caption: 'Handlers', rows, key: (h) => `${h.vhost}\n${h.queue}\n${h.tag}`,
    empty: 'This program has no handler. Broker.Handle and HandleFor serve a queue; servers in other processes are consumers.',
    columns: [
      { title: 'Queue', cell: (h) => toQueue(h.vhost, h.queue) },
      ...scope.vhost() === '' ? [{ title: 'Virtual host', wide: true, cell: (h) => toVhost(h.vhost) }] : [],
      { title: 'Busy', class: 'flat', hint: 'Requests that are served now, of as many as can be at a time', cell: (h) => [bar(h.serving, h.concurrency), el('span', { class: 'tabular' }, ` ${count(h.serving)} of ${count(h.concurrency)}`)] },
      { title: 'Ready', num: true, hint: 'Requests that wait in the queue', cell: (h) => count(h.ready) },
      { title: 'Served', num: true, cell: (h) => [rate(h.served_details?.rate ?? 0), el('small', null, `${count(h.served)} in all`)] },
      { title: 'p50', num: true, hint: 'Half of the requests of the last minute took no longer', cell: (h) => h.timed > 0 ? millis(h.p50_ms) : '–' },
      { title: 'p99', num: true, hint: 'All but one in a hundred of the last minute took no longer', cell: (h) => h.timed > 0 ? [bar(h.p99_ms, slowest), ` ${millis(h.p99_ms)}`] : '–' },
      { title: 'Failed', num: true, cell: (h) => [rate(h.failed_details?.rate ?? 0), el('small', null, `${count(h.failed)} in all`)] },
      { title: 'Errors by code', cell: (h) => codes(h.errors ?? {}) },
      { title: 'Gone', num: true, wide: true, hint: 'Requests that were not served because their caller had gone', cell: (h) => count(h.gone) },
    ],
  })
}

function codes(errors) {
  const all = Object.entries(errors).sort((a, b) => b[1] - a[1])
  if (all.length === 0) return '–'
  return el('span', { class: 'badges' }, all.slice(0, 4).map(([code, n]) => badge(`${code} ${count(n)}`, `${n} requests failed with ${code}`, 'bad')), all.length > 4 && badge(`+${all.length - 4}`, all.slice(4).map(([code, n]) => `${code}: ${n}`).join('\n')))
}

// bar is a small picture of a share.
function bar(part, all) {
  const width = all > 0 ? Math.min(60, Math.round(part / all * 60)) : 0
  return svg('svg', { class: 'bar', width: 60, height: 8, 'aria-hidden': 'true' }, svg('rect', { class: 'bar-all', width: 60, height: 8, rx: 2 }), svg('rect', { class: 'bar-part', width, height: 8, rx: 2 }))
}

function callers(rows) {
  return table({
    caption: 'Reply consumers', rows, key: (c) => `${c.connection}\n${c.channel}\n${c.tag}`,
    empty: 'No channel consumes replies. Calls of this program need none: each waits by itself.',
    columns: [
      { title: 'Connection', cell: (c) => c.connection ? toConnection(c.connection) : 'this program' },
      { title: 'Channel', num: true, cell: (c) => c.channel },
      { title: 'User', cell: (c) => el('span', { class: 'name' }, c.user || '–') },
      { title: 'Virtual host', cell: (c) => toVhost(c.vhost) },
      { title: 'Tag', wide: true, cell: (c) => el('span', { class: 'name' }, c.tag) },
    ],
  })
}
