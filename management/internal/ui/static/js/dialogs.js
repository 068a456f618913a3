// Questions in front of the page. They are <dialog> elements: the browser keeps the
// focus in them, and Escape closes them.
import { el } from './dom.js'
import { field, values } from './forms.js'
import { failure, told, refused } from './notices.js'

// ask shows a form. Its submit is called with the values; if it throws, the reason is
// shown and the form stays open. ask returns whether submit has succeeded.
export function ask({ title, text, fields = [], action, danger, submit }) {
  return new Promise((resolve) => {
    let done = false
    const errors = el('div')
    const button = el('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, action)
    const form = el('form', {
      onsubmit: async (event) => {
        event.preventDefault()
        button.disabled = true
        errors.replaceChildren()
        try {
          await submit(values(form, fields))
          done = true
          dialog.close()
        } catch (err) {
          errors.append(failure(err))
        }
        button.disabled = false
      },
    },
    el('h2', null, title), text && el('p', null, text), fields.map(field), errors,
    el('div', { class: 'row end' }, el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), button))
    const dialog = el('dialog', { 'aria-label': title }, form)
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(done)
    })
    document.body.append(dialog)
    dialog.showModal()
    if (danger && fields.length === 0) form.querySelector('button').focus() // Enter must not destroy anything
  })
}

// confirm asks before something is done that cannot be undone, does it, and says so.
// With typed, the reader must write that text first.
export function confirm({ title, text, action, typed, run, done }) {
  const fields = typed === undefined ? [] : [{ name: 'typed', label: `Write ${typed} to confirm`, required: true }]
  return ask({
    title, text, fields, action, danger: true,
    submit: async (given) => {
      if (typed !== undefined && given.typed !== typed) throw new Error('The names differ.')
      await run()
      if (done) told(done)
    },
  })
}

// attempt does something without a question, and shows why it was refused.
export async function attempt(run, done) {
  try {
    await run()
    if (done) told(done)
    return true
  } catch (err) {
    refused(err)
    return false
  }
}
