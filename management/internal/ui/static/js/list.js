// Pages that are one long table: searched, sorted and cut into pages by the server.
// Where the server answers with the whole list, the same is done here.
import * as api from './api.js'
import { el } from './dom.js'
import { count } from './format.js'
import { heading } from './parts.js'
import { change } from './router.js'
import { table } from './table.js'
import * as scope from './scope.js'

const sizes = [25, 50, 100, 500] // the server gives at most 500

// listPage makes a page of {title, path, columns, key, empty, search, actions, about}:
// path makes the parts of the API's path from the virtual host chosen, if any.
export function listPage(spec) {
  return {
    title: spec.title,
    load: (page) => load(spec, page),
    view: (data, page) => view(spec, data, page),
  }
}

async function load(spec, page) {
  const q = page.query
  const query = { page: q.page ?? 1, page_size: q.size ?? 50, name: q.name, use_regex: q.regex ? 'true' : undefined, sort: q.sort, sort_reverse: q.reverse ? 'true' : undefined, ...spec.query }
  try {
    const answer = await api.get(spec.path(scope.vhost()), query, page.signal)
    return Array.isArray(answer) ? cut(answer, q, spec) : answer
  } catch (err) {
    if (err instanceof api.ApiError && err.kind === 'page_out_of_range' && Number(q.page) > 1) {
      set(page, { page: undefined }, false) // rows have gone meanwhile
      return load(spec, page)
    }
    throw err
  }
}

// cut does what the server does for lists that it has pages of.
export function cut(all, q, spec) {
  const field = (row, path) => path.split('.').reduce((o, name) => o?.[name], row)
  const match = matcher(q.name ?? '', q.regex)
  const rows = all.filter((row) => (spec.search ?? ['name']).some((f) => match(String(field(row, f) ?? ''))))
  if (q.sort) {
    rows.sort((a, b) => {
      const [x, y] = [field(a, q.sort) ?? '', field(b, q.sort) ?? '']
      return x < y ? -1 : x > y ? 1 : 0
    })
    if (q.reverse) rows.reverse()
  }
  const size = Number(q.size ?? 50)
  const pages = Math.max(1, Math.ceil(rows.length / size))
  const page = Math.min(Number(q.page ?? 1), pages)
  return { items: rows.slice((page - 1) * size, page * size), page, page_count: pages, page_size: size, filtered_count: rows.length, total_count: all.length }
}

function matcher(text, regex) {
  if (!regex) return (value) => value.toLowerCase().includes(text.toLowerCase())
  const pattern = new RegExp(text, 'iu')
  return (value) => pattern.test(value)
}

// set changes what is asked for, and asks.
function set(page, query, refresh = true) {
  change(query)
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) delete page.query[name]
    else page.query[name] = String(value)
  }
  if (refresh) page.refresh()
}

function view(spec, data, page) {
  const q = page.query
  const about = data.filtered_count === data.total_count ? count(data.total_count) : `${count(data.filtered_count)} of ${count(data.total_count)}`
  const columns = spec.columns.filter((c) => !c.vhost || scope.vhost() === '')
  return [
    heading({ title: spec.title, about, actions: spec.actions?.(page) }),
    tools(spec, data, page),
    table({
      caption: spec.title, columns, rows: data.items, key: spec.key, sort: q.sort ?? '', reverse: Boolean(q.reverse),
      empty: q.name ? `Nothing here has "${q.name}" in its name.` : spec.empty,
      onsort: (sort, reverse) => set(page, { sort, reverse: reverse ? 1 : undefined, page: undefined }),
    }),
    pager(data, page),
  ]
}

function tools(spec, data, page) {
  const q = page.query
  const wait = (event) => {
    clearTimeout(page.state.typing)
    const name = event.target.value
    page.state.typing = setTimeout(() => set(page, { name: name || undefined, page: undefined }), 250)
  }
  return el('div', { class: 'row tools', role: 'search' },
    el('input', { type: 'search', 'aria-label': `Search ${spec.title.toLowerCase()} by name`, placeholder: 'Search by name', value: q.name, oninput: wait, maxlength: 1024 }),
    el('label', { class: 'inline' }, el('input', { type: 'checkbox', checked: Boolean(q.regex), onchange: (e) => set(page, { regex: e.target.checked ? 1 : undefined, page: undefined }) }), 'Regular expression'),
    el('label', { class: 'inline' }, 'Rows', el('select', { onchange: (e) => set(page, { size: e.target.value, page: undefined }) },
      sizes.map((n) => el('option', { value: n, selected: n === Number(q.size ?? 50) }, n)))))
}

function pager(data, page) {
  if (data.page_count <= 1) return null
  const step = (text, n, label) => el('button', { type: 'button', 'aria-label': label, disabled: n < 1 || n > data.page_count || n === data.page, onclick: () => set(page, { page: n === 1 ? undefined : n }) }, text)
  return el('nav', { class: 'row pager', 'aria-label': 'Pages' },
    step('«', 1, 'First page'), step('‹', data.page - 1, 'Page before'), el('span', { class: 'tabular' }, `Page ${count(data.page)} of ${count(data.page_count)}`),
    step('›', data.page + 1, 'Next page'), step('»', data.page_count, 'Last page'))
}
