import { el } from '../dom.js'
import { count } from '../format.js'
import { listPage } from '../list.js'
import { badge, entries, toChannel, toQueue, toVhost } from '../parts.js'

// columns are those of every table of consumers.
export const columns = [
  { title: 'Tag', sort: 'consumer_tag', cell: (c) => [el('span', { class: 'name' }, c.consumer_tag), isHandler(c) && badge('handler', 'a handler of this program')] },
  { title: 'Virtual host', sort: 'queue.vhost', vhost: true, wide: true, cell: (c) => toVhost(c.queue?.vhost) },
  { title: 'Queue', sort: 'queue.name', cell: (c) => c.queue?.name ? toQueue(c.queue.vhost, c.queue.name) : '–' },
  { title: 'Channel', own: true, sort: 'channel_details.name', cell: (c) => c.channel_details?.name ? toChannel(c.channel_details.name) : 'this program' },
  { title: 'User', own: true, wide: true, cell: (c) => el('span', { class: 'name' }, c.channel_details?.user ?? '–') },
  { title: 'Acks', sort: 'ack_required', cell: (c) => c.ack_required ? 'required' : 'automatic' },
  { title: 'Active', sort: 'active', cell: (c) => c.active === false ? 'waits' : 'yes' },
  { title: 'Exclusive', wide: true, sort: 'exclusive', cell: (c) => c.exclusive ? 'yes' : 'no' },
  { title: 'Prefetch', num: true, sort: 'prefetch_count', hint: '0: no limit', cell: (c) => count(c.prefetch_count) },
  { title: 'Arguments', wide: true, cell: (c) => entries(c.arguments, '–') },
]

const isHandler = (c) => c.handler === true || (!c.channel_details?.name && !c.channel_details?.connection_name)

export default listPage({
  title: 'Consumers', columns,
  path: (vhost) => vhost === '' ? ['consumers'] : ['consumers', vhost],
  key: (c) => `${c.queue?.vhost}\n${c.queue?.name}\n${c.channel_details?.name}\n${c.consumer_tag}`,
  search: ['consumer_tag', 'queue.name', 'channel_details.user'],
  empty: 'Nobody consumes. Messages stay in their queues until a consumer takes them, or they expire.',
})
