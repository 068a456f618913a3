// Line charts over time, as SVG that is stretched to its place; the texts around it are
// HTML, so that they are not.
import { el, svg } from './dom.js'
import { clock } from './format.js'

const width = 600
const height = 120

// chart draws {title, series, write, axis, range, limit, binary}. A series is {name, color,
// points, value, hint}; color is a number of the palette; value is what the legend
// shows, by default the last point; dashed lets a line below be seen. write makes text of a value, axis of those at the axis. range is in seconds.
// limit draws a line that should not be crossed. binary rounds the scale to powers of 2.
export function chart({ title, series, write, axis = write, range, limit, binary }) {
  const last = Math.max(...series.flatMap((s) => s.points.map(([t]) => t)), 0) || Date.now()
  const first = last - range * 1000
  const shown = series.map((s) => ({ ...s, points: s.points.filter(([t]) => t >= first - range * 40) }))
  const top = ceiling(Math.max(0, ...shown.flatMap((s) => s.points.map(([, v]) => v))) * 1.04, binary)
  const scale = limit !== undefined && limit <= top * 4 ? Math.max(top, ceiling(limit, binary)) : top
  const x = (t) => Math.round((t - first) / (last - first) * width * 10) / 10
  const y = (v) => Math.round((height - v / scale * height) * 10) / 10
  const lines = shown.map((s) => line(s, x, y))
  const value = (s) => s.value ?? s.points.at(-1)?.[1]
  const legend = shown.map((s) => el('li', { class: `series c${s.color}`, title: s.hint }, el('span', { class: 'series-name' }, s.name), el('span', { class: 'series-value' }, write(value(s)))))
  const cursor = el('div', { class: 'cursor', keep: true, hidden: true })
  const time = el('span', { class: 'chart-time', keep: true })
  const empty = shown.every((s) => s.points.length < 2)
  const summary = shown.map((s) => `${s.name} ${write(value(s))}`).join(', ')
  return el('figure', { class: 'chart', onpointermove: (e) => point(e, { shown, first, last, write }), onpointerleave: (e) => leave(e, { shown, write, value }) },
    el('figcaption', null, el('span', null, title), time),
    el('div', { class: 'plot' },
      el('div', { class: 'y-axis', 'aria-hidden': 'true' }, [scale, scale / 2, 0].map((v) => el('span', null, axis(v)))),
      el('div', { class: 'canvas', role: 'img', 'aria-label': `${title}: ${summary}` },
        svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none' },
          [0, 0.5, 1].map((part) => svg('line', { class: 'rule', x1: 0, x2: width, y1: part * height, y2: part * height })),
          limit !== undefined && limit <= scale && svg('line', { class: 'limit', x1: 0, x2: width, y1: y(limit), y2: y(limit) }),
          lines),
        empty && el('span', { class: 'chart-empty' }, 'Collecting samples…'),
        cursor)),
    el('div', { class: 'x-axis', 'aria-hidden': 'true' }, el('span', null, `−${range >= 120 ? `${range / 60} min` : `${range} s`}`), el('span', null, 'now')),
    el('ul', { class: 'legend' }, legend))
}

function line(s, x, y) {
  if (s.points.length === 0) return null
  const path = s.points.map(([t, v], i) => `${i === 0 ? 'M' : 'L'}${x(t)} ${y(v)}`).join('')
  return svg('g', { class: `c${s.color}` },
    s.area && svg('path', { class: 'area', d: `${path}L${x(s.points.at(-1)[0])} ${height}L${x(s.points[0][0])} ${height}Z` }),
    svg('path', { class: s.dashed ? 'line dashed' : 'line', d: path }))
}

// ceiling is a round number that is not less than a value.
function ceiling(value, binary) {
  if (value <= 0) return binary ? 1024 : 1
  const step = binary ? 2 : 10
  const base = step ** Math.floor(Math.log(value) / Math.log(step))
  const factors = binary ? [1, 1.25, 1.5, 1.75, 2] : [1, 2, 4, 5, 6, 8, 10]
  return base * factors.find((f) => f * base >= value * 0.9999)
}

// point shows the values at the pointer in the legend.
function point(event, { shown, first, last, write }) {
  const figure = event.currentTarget
  const canvas = figure.querySelector('.canvas')
  const box = canvas.getBoundingClientRect()
  const part = (event.clientX - box.left) / box.width
  if (part < 0 || part > 1) return
  const at = first + part * (last - first)
  const nearest = shown.map((s) => s.points.reduce((best, p) => best === null || Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best, null))
  const time = nearest.find((p) => p)?.[0]
  if (time === undefined) return
  const cursor = canvas.querySelector('.cursor')
  cursor.hidden = false
  cursor.style.left = `${Math.min(100, Math.max(0, (time - first) / (last - first) * 100))}%`
  figure.querySelector('.chart-time').textContent = clock(time)
  figure.querySelectorAll('.series-value').forEach((cell, i) => { cell.textContent = write(nearest[i]?.[1]) })
}

function leave(event, { shown, write, value }) {
  const figure = event.currentTarget
  figure.querySelector('.cursor').hidden = true
  figure.querySelector('.chart-time').textContent = ''
  figure.querySelectorAll('.series-value').forEach((cell, i) => { cell.textContent = write(value(shown[i])) })
}
