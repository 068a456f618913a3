import * as api from '../api.js'
import { ask } from '../dialogs.js'
import { count, rateOf } from '../format.js'
import { listPage } from '../list.js'
import { button, toVhost } from '../parts.js'
import * as session from '../session.js'

export default listPage({
  title: 'Virtual hosts',
  path: () => ['vhosts'],
  key: (v) => v.name,
  empty: 'You may enter no virtual host.',
  actions: (page) => [session.is('administrator') && button('Add virtual host…', () => add(page))],
  columns: [
    { title: 'Name', sort: 'name', cell: (v) => toVhost(v.name) },
    { title: 'Description', wide: true, cell: (v) => v.description || '–' },
    { title: 'Ready', sort: 'messages_ready', num: true, cell: (v) => count(v.messages_ready ?? 0) },
    { title: 'Unacked', sort: 'messages_unacknowledged', num: true, cell: (v) => count(v.messages_unacknowledged ?? 0) },
    { title: 'Publish', sort: 'message_stats.publish_details.rate', num: true, cell: (v) => rateOf(v.message_stats, 'publish') },
    { title: 'Deliver', sort: 'message_stats.deliver_get_details.rate', num: true, cell: (v) => rateOf(v.message_stats, 'deliver_get') },
  ],
})

function add(page) {
  ask({
    title: 'Add a virtual host', action: 'Add', text: 'You get all rights in it.',
    fields: [{ name: 'name', label: 'Name', required: true }, { name: 'description', label: 'Description' }],
    submit: async (v) => {
      await api.put(['vhosts', v.name], { description: v.description })
      await api.put(['permissions', v.name, session.current()], { configure: '.*', write: '.*', read: '.*' })
      page.refresh()
    },
  })
}
