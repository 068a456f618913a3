import * as api from '../api.js'
import { el } from '../dom.js'
import { clock, count } from '../format.js'
import { heading, to } from '../parts.js'
import { lines } from '../stream.js'
import { table } from '../table.js'

export const title = 'Events'
export const still = true // events come by themselves

const most = 500 // events that are kept

export const load = () => null

// shown listens until another page is shown, and begins anew if the broker goes away.
export async function shown(page) {
  page.state.events = []
  while (!page.signal.aborted) {
    try {
      const response = await api.send('GET', ['warren', 'events'], { signal: page.signal, timeout: 0, accept: 'text/event-stream' })
      page.state.listening = true
      page.state.error = null
      page.redraw()
      for await (const event of lines(response.body)) add(page, event)
      page.state.error = 'The broker has ended the stream.'
    } catch (err) {
      if (page.signal.aborted) return
      page.state.error = err.message
    }
    page.state.listening = false
    page.redraw()
    await new Promise((resolve) => { setTimeout(resolve, 2000) })
  }
}

function add(page, event) {
  page.state.events.unshift({ ...event, id: (page.state.last = (page.state.last ?? 0) + 1) })
  page.state.events.length = Math.min(most, page.state.events.length)
  page.state.drawing ??= requestAnimationFrame(() => {
    page.state.drawing = undefined
    if (!page.signal.aborted) page.redraw()
  })
}

export function view(_, page) {
  const { events = [], listening, error, kind = '' } = page.state
  const rows = events.filter((e) => `${e.kind} ${e.data.name ?? ''} ${e.data.queue ?? ''}`.toLowerCase().includes(kind.toLowerCase()))
  const cell = (name) => (e) => el('span', { class: 'name' }, e.data[name] || '–')
  return [
    heading({ title, about: listening ? 'listening' : error ?? 'connecting' }),
    el('div', { class: 'row tools', role: 'search' }, el('input', {
      type: 'search', 'aria-label': 'Show only events with this in kind or name', placeholder: 'Kind or name, such as queue.', oninput: (e) => {
        page.state.kind = e.target.value
        page.redraw()
      },
    }), el('span', { class: 'quiet', role: 'status' }, `${count(rows.length)} events, the newest first; at most ${most} are kept`)),
    table({
      caption: 'Events', rows, key: (e) => e.id,
      empty: events.length > 0 ? 'No event is like that.' : 'Nothing has happened since this page was opened. It shows what is declared, deleted, opened, closed, and alarms, as it happens.',
      columns: [
        { title: 'Time', cell: (e) => el('span', { class: 'tabular' }, clock(Date.parse(e.data.time) || e.at)) },
        { title: 'Event', cell: (e) => e.kind },
        { title: 'Virtual host', cell: (e) => e.data.vhost ? el('span', { class: 'name' }, e.data.vhost) : '–' },
        { title: 'Name', cell: (e) => e.kind === 'queue.created' ? to(['queues', e.data.vhost, e.data.name], el('span', { class: 'name' }, e.data.name)) : el('span', { class: 'name' }, e.data.name ?? e.data.message ?? '–') },
        { title: 'Queue', cell: cell('queue') }, { title: 'User', wide: true, cell: cell('user') }, { title: 'Session', wide: true, cell: (e) => e.data.session !== e.data.name ? cell('session')(e) : '–' }, { title: 'Reason', cell: cell('reason') },
      ],
    }),
  ]
}
