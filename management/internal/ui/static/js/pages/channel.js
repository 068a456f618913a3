import * as api from '../api.js'
import * as charts from '../charts.js'
import { el } from '../dom.js'
import { count } from '../format.js'
import { facts, heading, section, state, toConnection, toVhost } from '../parts.js'
import { query } from '../samples.js'
import { table } from '../table.js'
import { columns } from './consumers.js'

export const title = 'Channel'

export const load = (page) => api.get(['channels', page.parts[1]], query(charts.range(page)), page.signal)

export function view(c, page) {
  const mode = [c.confirm && 'confirms', c.transactional && 'transactions'].filter(Boolean).join(', ') || 'plain'
  return [
    heading({ trail: [['Channels', 'channels']], title: c.name, actions: [charts.rangePicker(page)] }),
    el('div', { class: 'grid' },
      section('About', facts(['State', state(c.state)], ['Connection', toConnection(c.connection_details?.name)], ['User', el('span', { class: 'name' }, c.user)], ['Virtual host', toVhost(c.vhost)],
        ['Number', c.number], ['Mode', mode], ['Deliveries', c.client_flow_blocked ? 'stopped by the client' : 'flow'], ['Prefetch', c.prefetch_count === 0 ? 'no limit' : count(c.prefetch_count)],
        ['Consumers', count(c.consumer_count)], ['Unacked', count(c.messages_unacknowledged)], ['Unconfirmed', count(c.messages_unconfirmed)],
        ['Uncommitted', `${count(c.messages_uncommitted)} publishes, ${count(c.acks_uncommitted)} acks`])),
      el('section', { class: 'card' }, charts.flow(c.message_stats, page))),
    section('Consumers', table({ caption: 'Consumers', columns: columns.filter((col) => !col.vhost && !col.own), rows: c.consumer_details ?? [], key: (x) => x.consumer_tag, empty: 'No consumer: the channel publishes, or gets messages one by one.' })),
  ]
}
