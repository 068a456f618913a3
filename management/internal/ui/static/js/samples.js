// Histories: what the server has kept of a counter or gauge, as points [time, value] in
// milliseconds, the oldest first.

// ranges are the histories that the server keeps: seconds, seconds between samples, name.
export const ranges = [[60, 5, '1 min'], [600, 30, '10 min'], [3600, 120, '1 hour']]

// query asks for histories of a range in seconds.
export function query(range) {
  const [age, incr] = ranges.find(([seconds]) => seconds === range) ?? ranges[0]
  return {
    lengths_age: age, lengths_incr: incr, msg_rates_age: age, msg_rates_incr: incr,
    data_rates_age: age, data_rates_incr: incr, node_stats_age: age, node_stats_incr: incr,
  }
}

const points = (details) => (details?.samples ?? []).map((s) => [s.timestamp, s.sample]).sort((a, b) => a[0] - b[0])

// gauge is the history of a number that goes up and down.
export const gauge = (object, name) => points(object?.[`${name}_details`])

// rates is the history of how fast a counter grew.
export function rates(object, name) {
  const all = points(object?.[`${name}_details`])
  return all.slice(1).map(([t, v], i) => [t, t > all[i][0] ? Math.max(0, (v - all[i][1]) * 1000 / (t - all[i][0])) : 0])
}

// Recorder keeps what a page has seen, for numbers without a history on the server.
export class Recorder {
  #all = new Map()

  // add notes the values of now, and forgets what is older than an hour.
  add(values, now = Date.now()) {
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'number') continue
      const list = this.#all.get(name) ?? []
      list.push([now, value])
      while (list.length > 720 || list[0][0] < now - 3600e3) list.shift()
      this.#all.set(name, list)
    }
  }

  // points returns what was noted in the last seconds.
  points(name, seconds) {
    const from = Date.now() - seconds * 1000
    return (this.#all.get(name) ?? []).filter(([t]) => t >= from)
  }
}
