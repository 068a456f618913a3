import { el } from '../dom.js'
import { ago, bytes, count } from '../format.js'
import { listPage } from '../list.js'
import { state, toConnection, toVhost } from '../parts.js'

export default listPage({
  title: 'Connections',
  path: (vhost) => vhost === '' ? ['connections'] : ['vhosts', vhost, 'connections'],
  key: (c) => c.name,
  empty: 'No client is connected. Clients connect by AMQP 0-9-1 to one of the listeners; sessions within this program are not connections.',
  columns: [
    { title: 'Name', sort: 'name', cell: (c) => [toConnection(c.name), given(c) && el('small', { class: 'name' }, given(c))] },
    { title: 'Virtual host', sort: 'vhost', vhost: true, wide: true, cell: (c) => toVhost(c.vhost) },
    { title: 'User', sort: 'user', cell: (c) => el('span', { class: 'name' }, c.user) },
    { title: 'State', sort: 'state', cell: (c) => state(c.state) },
    { title: 'TLS', sort: 'ssl', wide: true, cell: (c) => c.ssl ? 'yes' : 'no' },
    { title: 'Client', wide: true, cell: (c) => el('span', { class: 'name' }, [c.client_properties?.product, c.client_properties?.version].filter((s) => typeof s === 'string').join(' ') || '–') },
    { title: 'Channels', sort: 'channels', num: true, cell: (c) => count(c.channels) },
    { title: 'From client', sort: 'recv_oct_details.rate', num: true, hint: 'Bytes per second from the client', cell: (c) => `${bytes(c.recv_oct_details?.rate ?? 0)}/s` },
    { title: 'To client', sort: 'send_oct_details.rate', num: true, hint: 'Bytes per second to the client', cell: (c) => `${bytes(c.send_oct_details?.rate ?? 0)}/s` },
    { title: 'Connected', sort: 'connected_at', wide: true, cell: (c) => ago(c.connected_at) },
  ],
})

// given is the name that the client has given to its connection.
const given = (c) => c.user_provided_name ?? c.client_properties?.connection_name
