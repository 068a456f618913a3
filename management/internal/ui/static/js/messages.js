// Messages on a page: how they look, and how they are published and got.
import * as api from './api.js'
import { ask } from './dialogs.js'
import { el } from './dom.js'
import { bytes } from './format.js'
import { copy, told } from './notices.js'
import { badge, entries, exchangePath, exchangeText } from './parts.js'

const shownBytes = 50000 // of each body

// messages shows a list of messages as the API gives them.
export const messages = (all) => el('ol', { class: 'messages' }, all.map(message))

function message(m) {
  const { headers, ...properties } = Array.isArray(m.properties) ? {} : m.properties ?? {}
  const cut = m.payload_bytes > shownBytes ? `the first ${bytes(shownBytes)} of ${bytes(m.payload_bytes)}` : bytes(m.payload_bytes)
  return el('li', { class: 'message' },
    el('div', { class: 'row' }, m.offset !== undefined && badge(`#${m.offset}`, 'place in the queue, or offset in the stream'), el('span', null, 'Exchange ', el('span', { class: 'name' }, exchangeText(m.exchange ?? ''))),
      el('span', null, 'Key ', el('span', { class: 'name' }, m.routing_key)), m.redelivered && badge('redelivered', 'it was delivered before', 'warn'),
      m.payload_encoding === 'base64' && badge('base64', 'the body is no text; it is shown as base64'), el('span', { class: 'quiet' }, cut), el('span', { class: 'grow' }),
      el('button', { type: 'button', class: 'small', onclick: (e) => copy(e.target, m.payload) }, 'Copy body')),
    el('pre', { class: 'body', tabindex: '0' }, m.payload),
    el('details', null, el('summary', null, 'Properties and headers'), entries(properties, 'No properties.'), el('h4', null, 'Headers'), entries(headers, 'No headers.')))
}

// publish asks for a message and publishes it to an exchange.
export function publish({ vhost, exchange, key = '', fixed, done }) {
  return ask({
    title: fixed ? `Publish to queue ${key}` : `Publish to exchange ${exchangeText(exchange)}`, action: 'Publish',
    fields: [
      !fixed && { name: 'key', label: 'Routing key', value: key },
      { name: 'payload', label: 'Body', type: 'area', rows: 5 },
      { name: 'encoding', label: 'Body is', type: 'select', value: 'string', options: [['string', 'text'], ['base64', 'base64']] },
      { name: 'persistent', label: 'Persistent', type: 'check', value: true },
      { name: 'headers', label: 'Headers (JSON)', type: 'json', rows: 2, placeholder: '{"tenant": "a"}' },
      { name: 'properties', label: 'Other properties (JSON)', type: 'json', rows: 2, placeholder: '{"content_type": "application/json"}' },
    ].filter(Boolean),
    submit: async (v) => {
      const properties = { ...v.properties, delivery_mode: v.persistent ? 2 : 1, headers: v.headers }
      const answer = await api.post(['exchanges', vhost, exchangePath(exchange), 'publish'], { routing_key: fixed ? key : v.key, payload: v.payload, payload_encoding: v.encoding, properties })
      if (!answer.routed) throw new Error('The message was published, but no queue took it: no binding of the exchange matches.')
      told('Published: at least one queue took the message.')
      done?.()
    },
  })
}

// fetchMessages asks how many messages to get from a queue, and what becomes of them.
export function fetchMessages({ vhost, queue, done }) {
  return ask({
    title: `Get messages of ${queue}`, action: 'Get', danger: true,
    text: 'Getting takes messages out of the queue. To look only, use peek. Messages that are put back are marked as redelivered.',
    fields: [
      { name: 'count', label: 'Messages', type: 'number', value: 1, min: 1, max: 1000, required: true },
      { name: 'mode', label: 'Then', type: 'select', value: 'ack_requeue_false', options: [['ack_requeue_false', 'remove them'], ['ack_requeue_true', 'put them back'], ['reject_requeue_false', 'reject them: they are dead-lettered, if the queue does that']] },
    ],
    submit: async (v) => {
      done(await api.post(['queues', vhost, queue, 'get'], { count: v.count, ackmode: v.mode, encoding: 'auto', truncate: shownBytes }))
    },
  })
}

// peek returns messages of a queue without taking them.
export const peek = (vhost, queue, skip, count) => api.get(['warren', 'peek', vhost, queue], { skip, count, truncate: shownBytes })
