import * as api from '../api.js'
import { ask } from '../dialogs.js'
import { el } from '../dom.js'
import { listPage } from '../list.js'
import { badge, button, to } from '../parts.js'

export const tagOptions = [['', 'none: AMQP only'], 'management', 'policymaker', 'monitoring', 'administrator']

const tags = (u) => (Array.isArray(u.tags) ? u.tags : String(u.tags ?? '').split(',')).filter(Boolean)

export default listPage({
  title: 'Users',
  path: () => ['users'],
  key: (u) => u.name,
  empty: 'There is no user: clients cannot log in by AMQP.',
  actions: (page) => [button('Add user…', () => add(page))],
  columns: [
    { title: 'Name', sort: 'name', cell: (u) => to(['users', u.name], el('span', { class: 'name' }, u.name)) },
    { title: 'Tags', cell: (u) => el('span', { class: 'badges' }, tags(u).map((t) => badge(t, `tag ${t}`))) },
  ],
})

function add(page) {
  ask({
    title: 'Add a user', action: 'Add', text: 'A new user has no rights in any virtual host; give some on the user’s page.',
    fields: [
      { name: 'name', label: 'Name', required: true },
      { name: 'password', label: 'Password', type: 'password', required: true, autocomplete: 'new-password' },
      { name: 'tags', label: 'May use these pages as', type: 'select', options: tagOptions, value: '' },
    ],
    submit: async (v) => {
      await api.put(['users', v.name], { password: v.password, tags: v.tags })
      page.refresh()
    },
  })
}
