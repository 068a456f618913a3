import { el } from '../dom.js'
import { count, rateOf } from '../format.js'
import { listPage } from '../list.js'
import { badge, state, toChannel, toVhost } from '../parts.js'

// columns are those of every table of channels.
export const columns = [
  { title: 'Channel', sort: 'name', cell: (c) => toChannel(c.name) },
  { title: 'Virtual host', sort: 'vhost', vhost: true, wide: true, cell: (c) => toVhost(c.vhost) },
  { title: 'User', own: true, sort: 'user', cell: (c) => el('span', { class: 'name' }, c.user) },
  { title: 'Mode', wide: true, cell: (c) => el('span', { class: 'badges' }, c.confirm && badge('C', 'confirm mode: the broker confirms what is published'), c.transactional && badge('T', 'transaction mode')) },
  { title: 'State', own: true, wide: true, cell: (c) => state(c.state) },
  { title: 'Prefetch', sort: 'prefetch_count', num: true, hint: 'Limit of unsettled messages for later consumers; 0: none', cell: (c) => count(c.prefetch_count) },
  { title: 'Consumers', sort: 'consumer_count', num: true, cell: (c) => count(c.consumer_count) },
  { title: 'Unacked', sort: 'messages_unacknowledged', num: true, hint: 'Deliveries that are not settled', cell: (c) => count(c.messages_unacknowledged) },
  { title: 'Unconfirmed', sort: 'messages_unconfirmed', num: true, wide: true, hint: 'Published messages that are not confirmed yet', cell: (c) => count(c.messages_unconfirmed) },
  { title: 'Publish', sort: 'message_stats.publish_details.rate', num: true, cell: (c) => rateOf(c.message_stats, 'publish') },
  { title: 'Deliver', sort: 'message_stats.deliver_get_details.rate', num: true, cell: (c) => rateOf(c.message_stats, 'deliver_get') },
  { title: 'Ack', sort: 'message_stats.ack_details.rate', num: true, cell: (c) => rateOf(c.message_stats, 'ack') },
]

export default listPage({
  title: 'Channels', columns,
  path: (vhost) => vhost === '' ? ['channels'] : ['vhosts', vhost, 'channels'],
  key: (c) => c.name,
  empty: 'No channel is open. A client publishes and consumes on channels of its connection.',
})
