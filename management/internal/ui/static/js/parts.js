// Pieces that many pages are made of.
import { el } from './dom.js'
import { link } from './router.js'
import { plain } from './format.js'

// to links to a page.
export const to = (parts, ...text) => el('a', { href: link(parts) }, ...text)

// exchangePath is how an exchange is named in paths: the default one has no name.
export const exchangePath = (name) => name === '' ? 'amq.default' : name

export const exchangeText = (name) => name === '' ? '(default)' : name

// toQueue, toExchange and the like link to the pages of objects.
export const toQueue = (vhost, name) => to(['queues', vhost, name], el('span', { class: 'name' }, name))
export const toExchange = (vhost, name) => to(['exchanges', vhost, exchangePath(name)], el('span', { class: 'name' }, exchangeText(name)))
export const toConnection = (name) => name ? to(['connections', name], el('span', { class: 'name flat' }, name)) : '–'
export const toChannel = (name) => to(['channels', name], el('span', { class: 'name flat' }, name))
export const toVhost = (name) => to(['vhosts', name], el('span', { class: 'name' }, name))

// badge is a word about an object; its title says more.
export const badge = (text, title, kind = '') => el('span', { class: `badge ${kind}`, title }, text)

// heading is the top of a page: where it is, its name, and what can be done.
export function heading({ trail = [], title, about, actions = [] }) {
  return el('header', { class: 'heading' },
    trail.length > 0 && el('nav', { class: 'trail', 'aria-label': 'Breadcrumb' }, trail.map(([text, ...parts], i) => [i > 0 && ' › ', to(parts, text)])),
    el('div', { class: 'row' }, el('h1', { tabindex: '-1' }, title), about && el('span', { class: 'about' }, about),
      el('div', { class: 'row actions' }, actions)))
}

// section is a part of a page with a title. Its id is for links within the page.
export const section = (title, ...content) => el('section', { class: 'card' }, el('h2', null, title), ...content)

// button is a button that runs something.
export const button = (text, onclick, kind = '') => el('button', { type: 'button', class: kind, onclick }, text)

// tile is a number with its name.
export const tile = (name, value, { href, note, kind = '' } = {}) => el(href ? 'a' : 'div', { class: `tile ${kind}`, href },
  el('span', { class: 'tile-name' }, name), el('span', { class: 'tile-value' }, value), note && el('span', { class: 'tile-note' }, note))

export const tiles = (...all) => el('div', { class: 'tiles' }, ...all)

// facts is a list of names and values. Pairs without a value are left out.
export function facts(...pairs) {
  return el('dl', { class: 'facts' }, pairs.filter((p) => p && p[1] !== undefined && p[1] !== null && p[1] !== '')
    .map(([name, ...value]) => el('div', null, el('dt', null, name), el('dd', null, ...value))))
}

// entries shows a table of arguments, headers or properties. Values may be tables.
export function entries(object, none = 'None.') {
  const all = Object.entries(object ?? {})
  if (all.length === 0) return el('p', { class: 'quiet' }, none)
  return el('dl', { class: 'entries' }, all.map(([name, value]) => el('div', null, el('dt', { class: 'name' }, name), el('dd', null,
    value !== null && typeof value === 'object' && !Array.isArray(value) ? entries(value, 'empty') : el('span', { class: 'name' }, plain(value))))))
}

// pattern shows a regular expression of permissions.
export const pattern = (text) => el('code', { class: 'name' }, text === '' ? '(nothing)' : text)

// features are the short marks of an exchange or a queue.
export function features(row) {
  const marks = []
  if (row.durable) marks.push(badge('D', 'durable: it outlives a restart, if the broker has a directory'))
  if (row.auto_delete === true) marks.push(badge('AD', 'auto-delete: it goes with its last user'))
  if (row.exclusive) marks.push(badge('Ex', 'exclusive: it belongs to one connection'))
  if (row.internal) marks.push(badge('I', 'internal: clients cannot publish to it'))
  if (Object.keys(row.arguments ?? {}).some((a) => a !== 'x-queue-type')) marks.push(badge('Args', Object.entries(row.arguments).map(([k, v]) => `${k}: ${plain(v)}`).join('\n')))
  if (row.policy) marks.push(badge(row.policy, `policy ${row.policy}`, 'policy'))
  if (row.operator_policy) marks.push(badge(row.operator_policy, `operator policy ${row.operator_policy}`, 'policy'))
  return el('span', { class: 'badges' }, marks)
}

// state is a dot and a word.
export function state(word) {
  const kind = { running: 'good', idle: 'good', flow: 'warn', blocked: 'bad', blocking: 'bad', closing: 'warn', paused: 'warn' }[word] ?? ''
  return el('span', { class: `state ${kind}` }, word ?? '–')
}
