// Tables with headers that sort.
import { el } from './dom.js'

// table shows rows. A column is {title, cell, num, wide, sort, hint}: cell makes the
// content from a row, num aligns numbers, wide columns are left out on a phone, sort is
// the field to sort by. Without rows it says what empty says.
export function table({ caption, columns, rows, key, empty, sort, reverse, onsort }) {
  if (rows.length === 0) return el('div', { class: 'empty' }, empty)
  const kind = (c) => [c.num && 'num', c.wide && 'wide', c.class].filter(Boolean).join(' ') || null
  const head = columns.map((c) => {
    const active = c.sort !== undefined && c.sort === sort
    const title = onsort && c.sort !== undefined
      ? el('button', { type: 'button', class: 'sort', onclick: () => onsort(c.sort, active ? !reverse : Boolean(c.num)) }, c.title, el('span', { class: 'arrow', 'aria-hidden': 'true' }, active ? (reverse ? '▼' : '▲') : ''))
      : c.title
    return el('th', { scope: 'col', class: kind(c), title: c.hint, 'aria-sort': active ? (reverse ? 'descending' : 'ascending') : null }, title)
  })
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    el('table', null, el('caption', { class: 'hidden' }, caption), el('thead', null, el('tr', null, head)),
      el('tbody', null, rows.map((row, i) => el('tr', { key: key ? key(row) : i }, columns.map((c, n) =>
        el(n === 0 ? 'th' : 'td', { class: kind(c), scope: n === 0 ? 'row' : null }, c.cell(row))))))))
}
