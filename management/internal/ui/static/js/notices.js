// Short messages about what was done or refused. Refusals stay until they are closed,
// and can be copied.
import { el } from './dom.js'
import { ApiError } from './api.js'

const area = el('div', { class: 'notices', 'aria-live': 'polite', role: 'status' })

// region is the element in which notices appear.
export const region = area

// copy puts a text on the clipboard and says so on the button.
export async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
  } catch {
    button.textContent = 'Not copied' // the browser allows it in secure contexts only
  }
}

// failure is what an error looks like anywhere on a page.
export function failure(err) {
  const detail = err instanceof ApiError ? err.detail : err.message
  return el('div', { class: 'failure', role: 'alert' },
    el('strong', null, err instanceof ApiError && err.status < 500 ? 'Refused: ' : 'Failed: '), el('span', { class: 'reason' }, err.message),
    el('button', { type: 'button', class: 'small', onclick: (e) => copy(e.target, detail) }, 'Copy'))
}

// told shows that something was done, for some seconds.
export function told(text) {
  const note = el('div', { class: 'notice good' }, text)
  show(note)
  setTimeout(() => note.remove(), 6000)
}

// refused shows an error until the reader closes it.
export function refused(err) {
  const note = el('div', { class: 'notice bad' }, failure(err),
    el('button', { type: 'button', class: 'small', 'aria-label': 'Close this message', onclick: () => note.remove() }, '✕'))
  show(note)
}

// clear takes the notices away, as a new page is shown.
export function clear() { area.replaceChildren() }

function show(note) {
  area.append(note)
  while (area.childElementCount > 5) area.firstElementChild.remove()
}
