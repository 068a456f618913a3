// How numbers, sizes and times are written.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const one = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const dash = '–'

const known = (n) => typeof n === 'number' && Number.isFinite(n)

// count writes a whole number with separators.
export const count = (n) => known(n) ? whole.format(n) : dash

// short writes a number in few characters: 12.3k.
export function short(n) {
  if (!known(n)) return dash
  for (const [limit, letter] of [[1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (Math.abs(n) >= limit) return one.format(n / (letter === 'k' ? 1e3 : limit)) + letter
  }
  return Math.abs(n) < 100 ? one.format(n) : whole.format(n)
}

// rate writes events per second.
export const rate = (n) => known(n) ? `${short(n)}/s` : dash

// rateOf writes the rate of a counter in RabbitMQ's form: {x, x_details: {rate}}.
export const rateOf = (stats, name) => rate(stats?.[`${name}_details`]?.rate ?? 0)

// bytes writes a size in binary units.
export function bytes(n) {
  if (!known(n)) return dash
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  while (Math.abs(n) >= 1024 && unit < units.length - 1) {
    n /= 1024
    unit++
  }
  return `${n < 100 && unit > 0 ? one.format(n) : whole.format(n)} ${units[unit]}`
}

// millis writes a duration given in milliseconds.
export function millis(ms) {
  if (!known(ms)) return dash
  if (ms <= 0) return '0'
  if (ms < 1) return `${whole.format(ms * 1000)} µs`
  if (ms < 10) return `${one.format(ms)} ms`
  if (ms < 1000) return `${whole.format(ms)} ms`
  if (ms < 60e3) return `${one.format(ms / 1000)} s`
  return span(ms)
}

// span writes a longer duration given in milliseconds by its two largest units.
export function span(ms) {
  if (!known(ms)) return dash
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts = [[Math.floor(seconds / 86400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']]
  const first = parts.findIndex(([n]) => n > 0)
  if (first < 0) return '0 s'
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(' ')
}

// ago writes how long ago a time in milliseconds was.
export const ago = (ms) => known(ms) ? `${span(Date.now() - ms)} ago` : dash

// clock writes the local time of day.
export const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB')

// plain writes a value of a table of arguments or headers as text.
export function plain(value) {
  if (typeof value === 'string') return value
  return JSON.stringify(value)
}
