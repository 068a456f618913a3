import * as api from '../api.js'
import { ask, confirm } from '../dialogs.js'
import { el } from '../dom.js'
import { button, entries, heading, section, toVhost } from '../parts.js'
import * as scope from '../scope.js'
import * as session from '../session.js'
import { table } from '../table.js'

export const title = 'Policies'

const kinds = {
  policies: { one: 'policy', text: 'A policy sets what was not declared for exchanges and queues whose names match. The one with the highest priority counts.', may: () => session.is('policymaker') },
  'operator-policies': { one: 'operator policy', text: 'An operator policy limits what users may set: for numbers the smaller value counts.', may: () => session.is('administrator') },
}

export async function load(page) {
  const tail = scope.vhost() === '' ? [] : [scope.vhost()]
  if (!session.is('policymaker')) return null
  const [policies, operator] = await Promise.all([api.get(['policies', ...tail], null, page.signal), api.get(['operator-policies', ...tail], null, page.signal)])
  return { policies, 'operator-policies': operator }
}

export function view(data, page) {
  if (data === null) return [heading({ title }), el('div', { class: 'empty' }, 'Policies are shown to users with the tag policymaker or administrator. The pages of queues and exchanges show which policy applies to them.')]
  return [heading({ title }), list('Policies', 'policies', data, page), list('Operator policies', 'operator-policies', data, page)]
}

function list(name, path, data, page) {
  const kind = kinds[path]
  return section(name, el('p', { class: 'quiet' }, kind.text), table({
    caption: name, rows: data[path], key: (p) => `${p.vhost}\n${p.name}`, empty: `There is no ${kind.one}: arguments of declarations alone count.`,
    columns: [
      { title: 'Name', cell: (p) => el('span', { class: 'name' }, p.name) },
      ...scope.vhost() === '' ? [{ title: 'Virtual host', cell: (p) => toVhost(p.vhost) }] : [],
      { title: 'Pattern', cell: (p) => el('code', { class: 'name' }, p.pattern) },
      { title: 'Applies to', cell: (p) => p['apply-to'] },
      { title: 'Priority', num: true, cell: (p) => p.priority },
      { title: 'Definition', cell: (p) => entries(p.definition) },
      { title: '', class: 'end', cell: (p) => kind.may() && [button('Edit…', () => edit(path, page, p), 'small'), ' ', button('Delete…', () => remove(path, p, page), 'small')] },
    ],
  }), kind.may() && el('div', { class: 'row' }, button(`Add ${kind.one}…`, () => edit(path, page), 'small')))
}

function edit(path, page, p) {
  const kind = kinds[path]
  ask({
    title: p ? `Change ${kind.one} ${p.name}` : `Add a${kind.one.startsWith('o') ? 'n' : ''} ${kind.one}`, action: 'Save',
    fields: [
      ...p ? [] : [{ name: 'vhost', label: 'Virtual host', type: 'select', options: scope.vhosts(), value: scope.preset() }, { name: 'name', label: 'Name', required: true }],
      { name: 'pattern', label: 'Pattern', required: true, value: p?.pattern ?? '', placeholder: '^orders\\.', help: 'A regular expression for names.' },
      { name: 'apply-to', label: 'Applies to', type: 'select', value: p?.['apply-to'] ?? 'queues', options: path === 'policies' ? ['all', 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges'] : ['queues', 'classic_queues', 'quorum_queues', 'streams'] },
      { name: 'priority', label: 'Priority', type: 'number', value: p?.priority ?? 0, required: true },
      { name: 'definition', label: 'Definition (JSON)', type: 'json', rows: 5, value: p ? JSON.stringify(p.definition, null, 2) : '', placeholder: '{"max-length": 10000}', required: true },
    ],
    submit: async (v) => {
      const { vhost = p?.vhost, name = p?.name, ...body } = v
      await api.put([path, vhost, name], body)
      page.refresh()
    },
  })
}

function remove(path, p, page) {
  confirm({
    title: `Delete this ${kinds[path].one}?`, action: 'Delete', done: `The ${kinds[path].one} is deleted.`, text: `What ${p.name} has set for names like ${p.pattern} no longer counts, from now on.`,
    run: () => api.remove([path, p.vhost, p.name]),
  }).then(page.refresh)
}
