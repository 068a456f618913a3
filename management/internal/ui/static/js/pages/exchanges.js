import * as api from '../api.js'
import { ask } from '../dialogs.js'
import { rateOf } from '../format.js'
import { listPage } from '../list.js'
import { button, features, toExchange, toVhost } from '../parts.js'
import * as scope from '../scope.js'
import * as session from '../session.js'

export default listPage({
  title: 'Exchanges',
  path: (vhost) => vhost === '' ? ['exchanges'] : ['exchanges', vhost],
  key: (x) => `${x.vhost}\n${x.name}`,
  empty: 'There is no exchange that you may see.',
  actions: (page) => [session.configuresAny() && button('Declare exchange…', () => declare(page))],
  columns: [
    { title: 'Name', sort: 'name', cell: (x) => toExchange(x.vhost, x.name) },
    { title: 'Virtual host', sort: 'vhost', vhost: true, wide: true, cell: (x) => toVhost(x.vhost) },
    { title: 'Type', sort: 'type', cell: (x) => x.type },
    { title: 'Features', cell: features },
    { title: 'In', sort: 'message_stats.publish_in_details.rate', num: true, hint: 'Messages per second that are published to it', cell: (x) => rateOf(x.message_stats, 'publish_in') },
    { title: 'Out', sort: 'message_stats.publish_out_details.rate', num: true, hint: 'Messages per second that queues took from it', cell: (x) => rateOf(x.message_stats, 'publish_out') },
  ],
})

function declare(page) {
  ask({
    title: 'Declare an exchange', action: 'Declare',
    fields: [
      { name: 'vhost', label: 'Virtual host', type: 'select', options: scope.vhosts(), value: scope.preset() },
      { name: 'name', label: 'Name', required: true },
      { name: 'type', label: 'Type', type: 'select', value: 'topic', options: ['direct', 'fanout', 'topic', 'headers', 'x-consistent-hash', 'x-delayed-message'] },
      { name: 'durable', label: 'Durable', type: 'check', value: true },
      { name: 'auto_delete', label: 'Delete with its last binding', type: 'check' },
      { name: 'internal', label: 'Internal: clients cannot publish to it', type: 'check' },
      { name: 'arguments', label: 'Arguments (JSON)', type: 'json', placeholder: '{"alternate-exchange": "unrouted"}' },
    ],
    submit: async (v) => {
      const { vhost, name, ...rest } = v
      await api.put(['exchanges', vhost, name], rest)
      page.refresh()
    },
  })
}
