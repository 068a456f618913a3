// Tables of bindings, with their removal and addition.
import * as api from './api.js'
import { ask, confirm } from './dialogs.js'
import { el } from './dom.js'
import { button, entries, exchangePath, exchangeText, toExchange, toQueue } from './parts.js'
import * as session from './session.js'
import { table } from './table.js'

const letter = (b) => b.destination_type === 'exchange' ? 'e' : 'q'
const path = (b) => ['bindings', b.vhost, 'e', exchangePath(b.source), letter(b), b.destination]

// mayBind says whether the user may bind and unbind.
const mayBind = (b) => session.may('write', b.vhost, b.destination) && session.may('read', b.vhost, b.source)

// bindings shows bindings; side says which end is of interest: source or destination.
export function bindings({ rows, side, empty, page }) {
  const end = (b) => side === 'source' ? toExchange(b.vhost, b.source) : b.destination_type === 'exchange' ? toExchange(b.vhost, b.destination) : toQueue(b.vhost, b.destination)
  return table({
    caption: 'Bindings', rows, empty, key: (b) => `${b.source}\n${b.destination_type}\n${b.destination}\n${b.properties_key}`,
    columns: [
      { title: side === 'source' ? 'From exchange' : 'To', cell: (b) => [side !== 'source' && el('span', { class: 'quiet' }, `${b.destination_type} `), end(b)] },
      { title: 'Routing key', cell: (b) => el('span', { class: 'name' }, b.routing_key || '–') },
      { title: 'Arguments', cell: (b) => entries(b.arguments, '–') },
      { title: '', class: 'end', cell: (b) => b.source !== '' && mayBind(b) && button('Unbind…', () => unbind(b, page), 'small') },
    ],
  })
}

function unbind(b, page) {
  confirm({
    title: 'Remove this binding?', action: 'Unbind', done: 'The binding is gone.',
    text: `From exchange ${exchangeText(b.source)} to ${b.destination_type} ${b.destination}, routing key "${b.routing_key}". New messages no longer take this way.`,
    run: () => api.remove([...path(b), b.properties_key || '~']),
  }).then(() => page.refresh())
}

// bind asks for a binding to or from an object and makes it. What is fixed is given.
export function bind({ vhost, source, queue, page }) {
  ask({
    title: queue !== undefined ? `Bind queue ${queue} to an exchange` : `Bind exchange ${exchangeText(source)} to a destination`, action: 'Bind',
    fields: [
      ...queue !== undefined ? [{ name: 'source', label: 'From exchange', required: true }] : [
        { name: 'kind', label: 'Destination is', type: 'select', value: 'q', options: [['q', 'a queue'], ['e', 'an exchange']] },
        { name: 'destination', label: 'Destination', required: true }],
      { name: 'routing_key', label: 'Routing key' },
      { name: 'arguments', label: 'Arguments (JSON)', type: 'json', rows: 2 },
    ],
    submit: async (v) => {
      const ends = queue !== undefined ? [v.source, 'q', queue] : [source, v.kind, v.destination]
      await api.post(['bindings', vhost, 'e', ...ends], { routing_key: v.routing_key, arguments: v.arguments })
      page.refresh()
    },
  })
}
