import * as api from '../api.js'
import { ask } from '../dialogs.js'
import { bytes, count, rateOf } from '../format.js'
import { listPage } from '../list.js'
import { badge, button, features, state, toQueue, toVhost } from '../parts.js'
import * as scope from '../scope.js'
import * as session from '../session.js'

// columns are those of every table of queues.
export const columns = [
  { title: 'Name', sort: 'name', cell: (q) => toQueue(q.vhost, q.name) },
  { title: 'Virtual host', sort: 'vhost', vhost: true, wide: true, cell: (q) => toVhost(q.vhost) },
  { title: 'Type', sort: 'type', cell: (q) => badge(q.type, `queue type ${q.type}`, `type-${q.type === 'stream' ? 'stream' : 'classic'}`) },
  { title: 'Features', wide: true, cell: (q) => [!['running', 'idle', undefined].includes(q.state) && [state(q.state), ' '], features(q)] },
  { title: 'Ready', sort: 'messages_ready', num: true, hint: 'Messages that wait for a consumer', cell: (q) => count(q.messages_ready ?? 0) },
  { title: 'Unacked', sort: 'messages_unacknowledged', num: true, hint: 'Messages that were delivered and are not settled', cell: (q) => count(q.messages_unacknowledged ?? 0) },
  { title: 'In', sort: 'message_stats.publish_details.rate', num: true, hint: 'Messages per second that come in', cell: (q) => rateOf(q.message_stats, 'publish') },
  { title: 'Deliver', sort: 'message_stats.deliver_get_details.rate', num: true, hint: 'Messages per second that are delivered or got', cell: (q) => rateOf(q.message_stats, 'deliver_get') },
  { title: 'Ack', sort: 'message_stats.ack_details.rate', num: true, wide: true, hint: 'Messages per second that are acknowledged', cell: (q) => rateOf(q.message_stats, 'ack') },
  { title: 'Consumers', sort: 'consumers', num: true, cell: (q) => count(q.consumers ?? 0) },
  { title: 'Memory', sort: 'memory', num: true, wide: true, cell: (q) => bytes(q.memory) },
]

export default listPage({
  title: 'Queues and streams', columns,
  path: (vhost) => vhost === '' ? ['queues'] : ['queues', vhost],
  key: (q) => `${q.vhost}\n${q.name}`,
  empty: 'There is no queue that you may see. Clients declare queues; you see those of virtual hosts in which you have permissions.',
  actions: (page) => [session.configuresAny() && button('Declare queue…', () => declare(page))],
})

function declare(page) {
  ask({
    title: 'Declare a queue', action: 'Declare',
    fields: [
      { name: 'vhost', label: 'Virtual host', type: 'select', options: scope.vhosts(), value: scope.preset() },
      { name: 'name', label: 'Name', required: true },
      { name: 'type', label: 'Type', type: 'select', value: 'classic', options: ['classic', 'quorum', 'stream'], help: 'A stream keeps its messages when they are read.' },
      { name: 'durable', label: 'Durable', type: 'check', value: true },
      { name: 'auto_delete', label: 'Delete with its last consumer', type: 'check' },
      { name: 'arguments', label: 'Arguments (JSON)', type: 'json', placeholder: '{"x-max-length": 1000}' },
    ],
    submit: async (v) => {
      await api.put(['queues', v.vhost, v.name], { durable: v.durable, auto_delete: v.auto_delete, arguments: { 'x-queue-type': v.type, ...v.arguments } })
      page.refresh()
    },
  })
}
