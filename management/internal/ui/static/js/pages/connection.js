import * as api from '../api.js'
import { chart } from '../chart.js'
import * as charts from '../charts.js'
import { confirm } from '../dialogs.js'
import { el } from '../dom.js'
import { ago, bytes, count } from '../format.js'
import { button, entries, facts, heading, section, state, toVhost } from '../parts.js'
import { go } from '../router.js'
import { query, rates } from '../samples.js'
import * as session from '../session.js'
import { table } from '../table.js'
import { columns } from './channels.js'

export const title = 'Connection'

export async function load(page) {
  const name = page.parts[1]
  const [connection, channels] = await Promise.all([
    api.get(['connections', name], query(charts.range(page)), page.signal),
    api.get(['connections', name, 'channels'], null, page.signal),
  ])
  return { connection, channels }
}

export function view({ connection: c, channels }, page) {
  const mayClose = session.is('administrator') || c.user === session.current()
  const range = charts.range(page)
  const line = (name, field, color) => ({ name, color, points: rates(c, field), value: c[`${field}_details`]?.rate ?? 0 })
  return [
    heading({ trail: [['Connections', 'connections']], title: c.name, about: c.user_provided_name, actions: [charts.rangePicker(page), mayClose && button('Close…', () => close(c), 'danger')] }),
    el('div', { class: 'grid narrow' },
      section('About', facts(['State', state(c.state)], ['User', el('span', { class: 'name' }, c.user)], ['Virtual host', toVhost(c.vhost)], ['Protocol', c.protocol],
        ['TLS', c.ssl ? [c.ssl_protocol, c.ssl_cipher].filter(Boolean).join(', ') || 'yes' : 'no'], ['Login', c.auth_mechanism], ['Connected', ago(c.connected_at)],
        ['Heartbeat', c.timeout > 0 ? `${c.timeout} s` : 'off'], ['Frame limit', bytes(c.frame_max)], ['Channel limit', count(c.channel_max)],
        ['Received', bytes(c.recv_oct)], ['Sent', bytes(c.send_oct)], ['Held back because', c.blocked_reason ?? c.last_blocked_by === 'none' ? undefined : c.last_blocked_by])),
      el('section', { class: 'card' }, chart({ title: 'Data', write: (n) => `${bytes(n)}/s`, binary: true, range, series: [line('From client', 'recv_oct', 1), line('To client', 'send_oct', 2)] })),
      section('Client properties', entries(c.client_properties, 'The client has told nothing about itself.'))),
    section('Channels', table({ caption: 'Channels', columns: columns.filter((col) => !col.vhost && !col.own), rows: channels, key: (ch) => ch.name, empty: 'The client has opened no channel.' })),
  ]
}

function close(c) {
  confirm({
    title: 'Close this connection?', action: 'Close connection', done: 'The connection is closed.',
    text: `${c.name} of ${c.user}. The client is told CONNECTION_FORCED. Many clients connect again at once. Its unsettled messages go back to their queues.`,
    run: () => api.remove(['connections', c.name]),
  }).then((closed) => closed && go(['connections']))
}
