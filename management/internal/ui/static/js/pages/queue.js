import * as api from '../api.js'
import { bind, bindings } from '../bindings.js'
import * as charts from '../charts.js'
import { attempt, confirm } from '../dialogs.js'
import { el } from '../dom.js'
import { bytes, count, rateOf } from '../format.js'
import { fetchMessages, messages, peek, publish } from '../messages.js'
import { button, entries, facts, features, heading, section, state, tile, tiles, to, toConnection, toVhost } from '../parts.js'
import { go } from '../router.js'
import { query } from '../samples.js'
import * as session from '../session.js'
import { table } from '../table.js'
import { columns } from './consumers.js'

export const title = 'Queue'

export async function load(page) {
  const path = ['queues', page.parts[1], page.parts[2]]
  const [queue, bound] = await Promise.all([api.get(path, query(charts.range(page)), page.signal), api.get([...path, 'bindings'], null, page.signal)])
  return { queue, bound }
}

export function view({ queue: q, bound }, page) {
  return [
    heading({ trail: [['Queues and streams', 'queues'], [`virtual host ${q.vhost}`, 'vhosts', q.vhost]], title: q.name, about: features(q), actions: [charts.rangePicker(page), actions(q, page)] }),
    tiles(tile('Ready', count(q.messages_ready ?? 0)), tile('Unacked', count(q.messages_unacknowledged ?? 0)), tile('Publish', rateOf(q.message_stats, 'publish')),
      tile('Deliver', rateOf(q.message_stats, 'deliver_get')), tile('Ack', rateOf(q.message_stats, 'ack')), tile('Consumers', count(q.consumers ?? 0)), tile('Memory', bytes(q.memory))),
    el('div', { class: 'grid' }, el('section', { class: 'card' }, charts.flow(q.message_stats, page)), el('section', { class: 'card' }, charts.lengths(q, page))),
    content(q, page),
    section('Consumers', table({
      caption: 'Consumers', columns: columns.filter((c) => !c.vhost && c.title !== 'Queue'), rows: q.consumer_details ?? [], key: (c) => `${c.channel_details?.name}\n${c.consumer_tag}`,
      empty: 'Nobody consumes from this queue: its messages stay until they are taken or expire.',
    })),
    section('Bindings', bindings({ rows: bound, side: 'source', page, empty: 'No binding.' }),
      session.may('write', q.vhost, q.name) && el('div', { class: 'row' }, button('Bind to an exchange…', () => bind({ vhost: q.vhost, queue: q.name, page }), 'small'))),
    el('div', { class: 'grid' }, about(q), settings(q)),
  ]
}

function actions(q, page) {
  const may = (right, name = q.name) => session.may(right, q.vhost, name)
  return [
    may('write', 'amq.default') && button('Publish…', () => publish({ vhost: q.vhost, exchange: '', key: q.name, fixed: true, done: page.refresh })),
    may('read') && q.type !== 'stream' && button('Purge…', () => purge(q, page), 'danger'),
    may('configure') && button('Delete…', () => remove(q), 'danger'),
  ]
}

// content lets the reader look at messages. What was fetched stays until it is fetched
// anew.
function content(q, page) {
  if (!session.may('read', q.vhost, q.name)) return null
  const at = page.state
  const show = (list, note) => {
    at.messages = list
    at.note = note
    page.redraw()
  }
  const number = (input, least) => Math.max(least, Number.parseInt(input.value, 10) || 0)
  const look = async (event) => {
    event.preventDefault()
    const { skip, count: n } = event.currentTarget.elements
    const [from, most] = [number(skip, 0), Math.min(1000, number(n, 1))]
    await attempt(async () => {
      const list = await peek(q.vhost, q.name, from, most)
      show(list, list.length === 0 ? 'No message waits there.' : `${count(list.length)} of the messages that waited; all are still in the queue.`)
    })
  }
  const take = () => fetchMessages({
    vhost: q.vhost, queue: q.name,
    done: (list) => {
      show(list, list.length === 0 ? 'The queue was empty.' : `Got ${count(list.length)}.`)
      page.refresh()
    },
  })
  return section('Messages',
    el('form', { class: 'row tools', onsubmit: look },
      el('label', { class: 'inline' }, 'Skip', el('input', { type: 'number', name: 'skip', value: 0, min: 0, class: 'few' })),
      el('label', { class: 'inline' }, 'Show', el('input', { type: 'number', name: 'count', value: 10, min: 1, max: 1000, class: 'few' })),
      el('button', { type: 'submit', id: 'peek', title: 'Look at messages without taking them' }, 'Peek'),
      q.type !== 'stream' && button('Get…', take), at.note && el('span', { class: 'quiet', role: 'status' }, at.note)),
    at.messages?.length > 0 && messages(at.messages))
}

function about(q) {
  return section('About', facts(['Type', q.type], ['State', state(q.state)], ['Virtual host', toVhost(q.vhost)], ['Durable', q.durable ? 'yes' : 'no'], ['Auto-delete', q.auto_delete ? 'yes' : 'no'],
    ['Owner', q.owner_pid_details?.name ? toConnection(q.owner_pid_details.name) : undefined], ['Active consumer', q.single_active_consumer_tag], ['Exclusive consumer', q.exclusive_consumer_tag],
    ['Idle since', q.idle_since], ['In all', count(q.messages)], ['Bytes', q.message_bytes === undefined ? undefined : bytes(q.message_bytes)],
    ['On disk', q.messages_paged_out > 0 ? count(q.messages_paged_out) : undefined], ['Consumer utilisation', typeof q.consumer_utilisation === 'number' ? `${Math.round(q.consumer_utilisation * 100)} %` : undefined]))
}

function settings(q) {
  return section('Arguments', entries(q.arguments, 'Declared without arguments.'), el('h2', null, 'Effective policy'), facts(['Policy', q.policy && to(['policies'], q.policy)], ['Operator policy', q.operator_policy && to(['policies'], q.operator_policy)]),
    entries(q.effective_policy_definition, 'No policy applies: the arguments alone count.'))
}

function purge(q, page) {
  confirm({
    title: 'Purge this queue?', action: 'Purge', done: 'The queue is purged.',
    text: `All ${count(q.messages_ready ?? 0)} ready messages of ${q.name} are lost. Unacked ones stay with their consumers.`,
    run: () => api.remove(['queues', q.vhost, q.name, 'contents']),
  }).then(page.refresh)
}

function remove(q) {
  confirm({
    title: 'Delete this queue?', action: 'Delete', done: 'The queue is deleted.',
    text: `${q.name} with its ${count(q.messages ?? 0)} messages, its bindings and ${count(q.consumers ?? 0)} consumers is lost.`,
    run: () => api.remove(['queues', q.vhost, q.name]),
  }).then((gone) => gone && go(['queues']))
}
