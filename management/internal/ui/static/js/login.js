// The login form. The password goes into requests' headers only, and is forgotten with
// the page unless the reader wants it kept for reloads of this tab.
import { ApiError } from './api.js'
import { el } from './dom.js'
import { field, values } from './forms.js'
import { failure } from './notices.js'
import * as session from './session.js'

const fields = [
  { name: 'user', label: 'User', required: true, autocomplete: 'username' },
  { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
  { name: 'keep', label: 'Stay logged in when this tab is reloaded', type: 'check' },
]

// loginPage shows the form; entered is called when the server has taken the login.
export function loginPage(entered, reason) {
  const errors = el('div', null, reason && el('p', { class: 'notice bad', role: 'alert' }, reason))
  const button = el('button', { type: 'submit', class: 'primary' }, 'Log in')
  const form = el('form', {
    class: 'card',
    onsubmit: async (event) => {
      event.preventDefault()
      button.disabled = true
      errors.replaceChildren()
      try {
        const given = values(form, fields)
        await session.login(given.user, given.password, given.keep)
        entered()
      } catch (err) {
        errors.replaceChildren(err instanceof ApiError && err.status === 401 ? el('p', { class: 'notice bad', role: 'alert' }, explain(err)) : failure(err))
        form.elements.namedItem('password').select()
      }
      button.disabled = false
    },
  }, el('h1', null, 'Warren'), el('p', { class: 'quiet' }, 'Log in with a user of the broker.'), fields.map(field), errors, button)
  return el('main', { class: 'login', id: 'main' }, form)
}

function explain(err) {
  if (/^not.authori[sz]ed$/i.test(err.message)) return 'The user or the password is wrong.'
  return `The server refused the login: ${err.message}`
}
