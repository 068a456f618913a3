import * as api from '../api.js'
import { bind, bindings } from '../bindings.js'
import { chart } from '../chart.js'
import * as charts from '../charts.js'
import { confirm } from '../dialogs.js'
import { el } from '../dom.js'
import { rate } from '../format.js'
import { publish } from '../messages.js'
import { button, entries, exchangeText, facts, features, heading, section, to, toVhost } from '../parts.js'
import { go } from '../router.js'
import { query } from '../samples.js'
import * as session from '../session.js'

export const title = 'Exchange'

export async function load(page) {
  const path = ['exchanges', page.parts[1], page.parts[2]]
  const [exchange, out, into] = await Promise.all([
    api.get(path, query(charts.range(page)), page.signal), api.get([...path, 'bindings', 'source'], null, page.signal), api.get([...path, 'bindings', 'destination'], null, page.signal),
  ])
  return { exchange, out, into }
}

export function view({ exchange: x, out, into }, page) {
  const isDefault = x.name === ''
  const predeclared = isDefault || x.name.startsWith('amq.')
  const may = (right) => session.may(right, x.vhost, isDefault ? 'amq.default' : x.name)
  return [
    heading({
      trail: [['Exchanges', 'exchanges'], [`virtual host ${x.vhost}`, 'vhosts', x.vhost]], title: exchangeText(x.name), about: [x.type, ' ', features(x)],
      actions: [charts.rangePicker(page), may('write') && !x.internal && button('Publish…', () => publish({ vhost: x.vhost, exchange: x.name, done: page.refresh })),
        !predeclared && may('configure') && button('Delete…', () => remove(x, out), 'danger')],
    }),
    el('div', { class: 'grid' },
      el('section', { class: 'card' }, chart({
        title: 'Message rates', write: rate, range: charts.range(page),
        series: charts.series(x.message_stats, ['In', 'publish_in', 1, 'Messages published to the exchange'], ['Out', 'publish_out', 2, 'Copies that queues took']),
      })),
      section('About', facts(['Type', x.type], ['Virtual host', toVhost(x.vhost)], ['Durable', x.durable ? 'yes' : 'no'], ['Auto-delete', x.auto_delete ? 'yes' : 'no'], ['Internal', x.internal ? 'yes' : 'no'],
        ['Policy', x.policy && to(['policies'], x.policy)]), el('h3', null, 'Arguments'), entries(x.arguments, 'Declared without arguments.'))),
    isDefault
      ? section('Bindings', el('p', { class: 'quiet' }, 'Every queue is bound to the default exchange by its own name. These bindings cannot be changed.'))
      : section('Bindings from this exchange', bindings({ rows: out, side: 'destination', page, empty: 'Nothing is bound to this exchange: messages that are published to it are dropped or returned.' }),
        may('read') && el('div', { class: 'row' }, button('Bind to a destination…', () => bind({ vhost: x.vhost, source: x.name, page }), 'small'))),
    into.length > 0 && section('Bindings to this exchange', bindings({ rows: into, side: 'source', page, empty: '' })),
  ]
}

function remove(x, out) {
  confirm({
    title: 'Delete this exchange?', action: 'Delete', done: 'The exchange is deleted.',
    text: `${x.name} and its ${out.length} bindings are lost. Clients that publish to it get an error.`,
    run: () => api.remove(['exchanges', x.vhost, x.name]),
  }).then((gone) => gone && go(['exchanges']))
}
