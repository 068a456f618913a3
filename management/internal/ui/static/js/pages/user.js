import * as api from '../api.js'
import { ask, confirm } from '../dialogs.js'
import { el } from '../dom.js'
import { button, exchangePath, exchangeText, facts, heading, pattern, section, toVhost } from '../parts.js'
import { go } from '../router.js'
import * as scope from '../scope.js'
import { table } from '../table.js'
import { tagOptions } from './users.js'

export const title = 'User'

export async function load(page) {
  const path = ['users', page.parts[1]]
  const [user, permissions, topics] = await Promise.all([
    api.get(path, null, page.signal), api.get([...path, 'permissions'], null, page.signal), api.get([...path, 'topic-permissions'], null, page.signal),
  ])
  return { user, permissions, topics }
}

export function view({ user, permissions, topics }, page) {
  const tags = Array.isArray(user.tags) ? user.tags.join(', ') : user.tags
  return [
    heading({
      trail: [['Users', 'users']], title: user.name,
      actions: [button('Password…', () => password(user, tags, page)), button('Tags…', () => retag(user, tags, page)), button('Delete…', () => remove(user), 'danger')],
    }),
    section('About', facts(['Tags', tags || 'none: AMQP only'], ['Password', user.password_hash ? `set, ${String(user.hashing_algorithm ?? '').replace('rabbit_password_hashing_', '')}` : 'none, or one whose hash is not shown'])),
    section('Permissions', table({
      caption: 'Permissions', rows: permissions, key: (p) => p.vhost, empty: 'The user may enter no virtual host. Give rights by the button below.',
      columns: [
        { title: 'Virtual host', cell: (p) => toVhost(p.vhost) },
        { title: 'Configure', hint: 'Names that the user may declare and delete', cell: (p) => pattern(p.configure) },
        { title: 'Write', hint: 'Names that the user may publish and bind to', cell: (p) => pattern(p.write) },
        { title: 'Read', hint: 'Names that the user may consume and bind from', cell: (p) => pattern(p.read) },
        { title: '', class: 'end', cell: (p) => [button('Edit…', () => permit(user, page, p), 'small'), ' ', button('Remove…', () => forbid(user, p, page), 'small')] },
      ],
    }), el('div', { class: 'row' }, button('Give rights…', () => permit(user, page), 'small'))),
    section('Topic permissions', table({
      caption: 'Topic permissions', rows: topics, key: (p) => `${p.vhost}\n${p.exchange}`, empty: 'No routing keys are restricted: permissions alone count.',
      columns: [
        { title: 'Virtual host', cell: (p) => toVhost(p.vhost) },
        { title: 'Exchange', cell: (p) => el('span', { class: 'name' }, exchangeText(p.exchange)) },
        { title: 'Write', hint: 'Routing keys that the user may publish with', cell: (p) => pattern(p.write) },
        { title: 'Read', hint: 'Routing keys that the user may bind with', cell: (p) => pattern(p.read) },
        { title: '', class: 'end', cell: (p) => button('Remove…', () => forbidTopic(user, p, page), 'small') },
      ],
    }), el('div', { class: 'row' }, button('Restrict routing keys…', () => permitTopic(user, page), 'small'))),
  ]
}

const vhostField = (value) => ({ name: 'vhost', label: 'Virtual host', type: 'select', options: scope.vhosts(), value: value ?? scope.preset() })

function permit(user, page, p) {
  const help = 'A regular expression; .* is everything, empty is nothing.'
  ask({
    title: `Rights of ${user.name}`, action: 'Save',
    fields: [vhostField(p?.vhost), { name: 'configure', label: 'Configure', value: p?.configure ?? '.*', help }, { name: 'write', label: 'Write', value: p?.write ?? '.*', help }, { name: 'read', label: 'Read', value: p?.read ?? '.*', help }],
    submit: async ({ vhost, ...rights }) => {
      await api.put(['permissions', vhost, user.name], rights)
      page.refresh()
    },
  })
}

function permitTopic(user, page) {
  ask({
    title: `Routing keys of ${user.name}`, action: 'Save',
    fields: [vhostField(), { name: 'exchange', label: 'Topic exchange', value: 'amq.topic', required: true }, { name: 'write', label: 'Write', value: '.*' }, { name: 'read', label: 'Read', value: '.*' }],
    submit: async ({ vhost, ...rights }) => {
      await api.put(['topic-permissions', vhost, user.name], rights)
      page.refresh()
    },
  })
}

function forbid(user, p, page) {
  confirm({
    title: 'Remove these rights?', action: 'Remove', done: 'The rights are removed.', text: `${user.name} may no longer enter virtual host ${p.vhost}.`,
    run: () => api.remove(['permissions', p.vhost, user.name]),
  }).then(page.refresh)
}

function forbidTopic(user, p, page) {
  confirm({
    title: 'Remove this restriction?', action: 'Remove', done: 'The restriction is removed.', text: `${user.name} may use all routing keys of ${exchangeText(p.exchange)} in ${p.vhost} that permissions allow.`,
    run: () => api.remove(['topic-permissions', p.vhost, user.name, exchangePath(p.exchange)]),
  }).then(page.refresh)
}

function password(user, tags, page) {
  ask({
    title: `New password of ${user.name}`, action: 'Save',
    fields: [{ name: 'password', label: 'Password', type: 'password', required: true, autocomplete: 'new-password' }],
    submit: async (v) => {
      await api.put(['users', user.name], { password: v.password, tags })
      page.refresh()
    },
  })
}

function retag(user, tags, page) {
  ask({
    title: `What ${user.name} may do on these pages`, action: 'Save',
    fields: [
      { name: 'tags', label: 'Tags', value: tags, help: `Separated by commas: ${tagOptions.slice(1).join(', ')}. None: AMQP only.` },
      // A user is set as a whole: without the hash the password would be lost.
      !user.password_hash && { name: 'password', label: 'Password', type: 'password', autocomplete: 'new-password', help: 'The server does not show the hash of this password, so it must be given again. Without one the user can no longer log in.' },
    ].filter(Boolean),
    submit: async (v) => {
      const secret = user.password_hash ? { password_hash: user.password_hash, hashing_algorithm: user.hashing_algorithm } : v.password ? { password: v.password } : { password_hash: '' }
      await api.put(['users', user.name], { ...secret, tags: v.tags })
      page.refresh()
    },
  })
}

function remove(user) {
  confirm({
    title: 'Delete this user?', action: 'Delete', typed: user.name, done: 'The user is deleted.', text: `${user.name} can no longer log in.`,
    run: () => api.remove(['users', user.name]),
  }).then((gone) => gone && go(['users']))
}
