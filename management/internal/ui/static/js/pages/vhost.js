import * as api from '../api.js'
import { ask, confirm } from '../dialogs.js'
import { el } from '../dom.js'
import * as charts from '../charts.js'
import { count, rateOf } from '../format.js'
import { button, heading, pattern, section, tile, tiles, to } from '../parts.js'
import { go } from '../router.js'
import { query } from '../samples.js'
import * as session from '../session.js'
import { table } from '../table.js'

export const title = 'Virtual host'

const known = [['max-connections', 'Connections at a time'], ['max-queues', 'Queues']]

export async function load(page) {
  const name = page.parts[1]
  const admin = session.is('administrator')
  const [vhost, permissions, limits] = await Promise.all([
    api.get(['vhosts', name], query(charts.range(page)), page.signal),
    admin ? api.get(['vhosts', name, 'permissions'], null, page.signal) : null,
    admin ? api.get(['vhost-limits', name], null, page.signal) : null,
  ])
  return { vhost, permissions, limits: limits?.[0]?.value ?? {} }
}

export function view({ vhost: v, permissions, limits }, page) {
  return [
    heading({ trail: [['Virtual hosts', 'vhosts']], title: v.name, about: v.description, actions: [charts.rangePicker(page), permissions && button('Delete…', () => remove(v), 'danger')] }),
    tiles(tile('Ready', count(v.messages_ready ?? 0)), tile('Unacked', count(v.messages_unacknowledged ?? 0)), tile('Publish', rateOf(v.message_stats, 'publish')), tile('Deliver', rateOf(v.message_stats, 'deliver_get'))),
    el('div', { class: 'grid' }, el('section', { class: 'card' }, charts.flow(v.message_stats, page)), el('section', { class: 'card' }, charts.lengths(v, page))),
    permissions && section('Limits', table({
      caption: 'Limits', rows: known, key: ([name]) => name,
      columns: [
        { title: 'Limit', cell: ([, text]) => text }, { title: 'At most', num: true, cell: ([name]) => limits[name] >= 0 ? count(limits[name]) : 'no limit' },
        { title: '', class: 'end', cell: ([name, text]) => [button('Set…', () => limit(v, name, text, limits[name], page), 'small'), limits[name] >= 0 && [' ', button('Remove…', () => unlimit(v, name, text, page), 'small')]] },
      ],
    })),
    permissions && section('Permissions', table({
      caption: 'Permissions', rows: permissions, key: (p) => p.user, empty: 'No user may enter this virtual host.',
      columns: [
        { title: 'User', cell: (p) => to(['users', p.user], el('span', { class: 'name' }, p.user)) }, { title: 'Configure', cell: (p) => pattern(p.configure) },
        { title: 'Write', cell: (p) => pattern(p.write) }, { title: 'Read', cell: (p) => pattern(p.read) },
      ],
    })),
  ]
}

function limit(v, name, text, value, page) {
  ask({
    title: `${text} of ${v.name}`, action: 'Set', fields: [{ name: 'value', label: 'At most', type: 'number', min: 0, value, required: true }],
    submit: async (given) => {
      await api.put(['vhost-limits', v.name, name], { value: given.value })
      page.refresh()
    },
  })
}

function unlimit(v, name, text, page) {
  confirm({ title: 'Remove this limit?', action: 'Remove', done: 'The limit is removed.', text: `${text} of ${v.name} are no longer limited.`, run: () => api.remove(['vhost-limits', v.name, name]) }).then(page.refresh)
}

function remove(v) {
  confirm({
    title: 'Delete this virtual host?', action: 'Delete', typed: v.name, done: 'The virtual host is deleted.',
    text: 'All its exchanges, queues and messages are lost, and its connections are closed.', run: () => api.remove(['vhosts', v.name]),
  }).then((gone) => gone && go(['vhosts']))
}
