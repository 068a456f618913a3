// The charts that several pages show, and the choice of their range.
import { chart } from './chart.js'
import { el } from './dom.js'
import { count, rate, short } from './format.js'
import { change } from './router.js'
import { gauge, ranges, rates } from './samples.js'

// range is the range of a page's charts in seconds.
export const range = (page) => Number(page.query.range ?? 60)

// rangePicker lets the reader choose it.
export function rangePicker(page) {
  return el('div', { class: 'segments', role: 'group', 'aria-label': 'Time range of the charts' }, ranges.map(([seconds, , name]) => el('button', {
    type: 'button', 'aria-pressed': String(seconds === range(page)),
    onclick: () => {
      change({ range: seconds })
      page.query.range = String(seconds)
      page.refresh()
    },
  }, name)))
}

// lengths charts the messages of a queue, or of all.
export function lengths(totals, page) {
  return chart({
    title: 'Queued messages', write: count, axis: short, range: range(page),
    series: [
      { name: 'Ready', color: 1, area: true, points: gauge(totals, 'messages_ready'), value: totals?.messages_ready ?? 0, hint: 'Messages that wait for a consumer' },
      { name: 'Unacked', color: 3, points: gauge(totals, 'messages_unacknowledged'), value: totals?.messages_unacknowledged ?? 0, hint: 'Messages that were delivered and are not settled' },
    ],
  })
}

// series makes the lines of a rate chart: [name, counter, color, hint, dashed].
export const series = (stats, ...all) => all.map(([name, counter, color, hint, dashed]) => ({
  name, color, hint, dashed, points: rates(stats, counter), value: stats?.[`${counter}_details`]?.rate ?? 0,
}))

// flow charts the messages that pass a queue, a channel, or the broker.
export function flow(stats, page, title = 'Message rates') {
  return chart({
    title, write: rate, range: range(page),
    series: series(stats, ['Publish', 'publish', 1, 'Messages published'], ['Deliver', 'deliver_get', 2, 'Messages delivered to consumers or got, including redeliveries'],
      ['Ack', 'ack', 3, 'Messages acknowledged', true], ['Redeliver', 'redeliver', 4, 'Messages delivered again']),
  })
}
