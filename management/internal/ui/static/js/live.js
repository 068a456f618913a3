// The page that is shown, and its refresh every few seconds: while it is visible, not
// paused, and as long as the broker answers. When the broker goes away the last view
// stays, marked as old, until the broker is back.
import { OfflineError, ApiError } from './api.js'
import { el } from './dom.js'
import { morph } from './morph.js'
import { failure } from './notices.js'

const period = 5000
const retry = 1500 // while the broker is away

// Live shows pages in an element. Its callbacks: changed tells that its status is
// another one; expired, that the credentials are no longer good; check asks whether
// they are; around loads what is shown around pages.
export class Live {
  paused = false
  offline = null // why, while the broker is away
  updated = 0
  #timer = 0
  #page = null
  #busy = false
  #again = false

  constructor(main, callbacks) {
    this.main = main
    this.callbacks = callbacks
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#due(0) })
  }

  // show replaces the page.
  show(module, route) {
    this.#page?.abort.abort()
    const abort = new AbortController()
    const page = { ...route, state: {}, signal: abort.signal, refresh: () => this.refresh(), redraw: () => { if (this.#page?.page === page && this.#page.drawn) this.#draw() } }
    this.#page = { module, page, abort, data: undefined, drawn: false }
    this.main.replaceChildren(el('p', { class: 'quiet loading' }, 'Loading…'))
    document.title = `${titleOf(module, page)} · Warren`
    this.refresh()
  }

  // refresh asks anew now. A refresh that is asked for during another follows it.
  async refresh() {
    const shown = this.#page
    if (!shown) return
    if (this.#busy === shown) {
      this.#again = true
      return
    }
    this.#busy = shown
    clearTimeout(this.#timer)
    try {
      const [data] = await Promise.all([shown.module.load?.(shown.page) ?? null, this.callbacks.around(shown.page.signal)])
      if (shown !== this.#page) return
      shown.data = data
      this.updated = Date.now()
      this.#set(null)
      this.#draw()
    } catch (err) {
      if (shown !== this.#page || shown.page.signal.aborted) return
      await this.#failed(shown, err)
    } finally {
      if (this.#busy === shown) this.#busy = false
      if (shown === this.#page) this.#due(this.#again ? 0 : this.offline ? retry : period)
      this.#again = false
    }
  }

  // pause stops or resumes refreshing.
  pause(paused) {
    this.paused = paused
    this.callbacks.changed()
    this.#due(0)
  }

  // end shows nothing any more.
  end() {
    this.#page?.abort.abort()
    this.#page = null
    clearTimeout(this.#timer)
  }

  async #failed(shown, err) {
    if (err instanceof OfflineError) {
      this.#set(err.message)
      return
    }
    if (err instanceof ApiError && err.status === 401) {
      try {
        if (!await this.callbacks.check()) return // the login page is shown
      } catch {
        this.#set('The broker cannot be reached.')
        return
      }
    }
    if (shown !== this.#page) return
    this.#set(null)
    shown.drawn = false
    const gone = err instanceof ApiError && err.status === 404
    this.main.replaceChildren(el('h1', { tabindex: '-1' }, titleOf(shown.module, shown.page)),
      gone ? el('div', { class: 'empty' }, 'This does not exist, or no longer. It is looked for again every few seconds.') : failure(err))
  }

  #draw() {
    const { module, page, data, drawn } = this.#page
    const nodes = [module.view(data, page)]
    if (drawn) {
      morph(this.main, nodes)
      return
    }
    this.#page.drawn = true
    this.main.replaceChildren()
    morph(this.main, nodes)
    if (document.activeElement === document.body || document.activeElement === null) this.main.querySelector('h1')?.focus({ preventScroll: true })
    module.shown?.(page)
  }

  #due(after) {
    clearTimeout(this.#timer)
    if (!this.#page || this.paused || document.hidden || this.#page.module.still) {
      if (!this.offline) return
    }
    this.#timer = setTimeout(() => this.refresh(), after)
  }

  #set(offline) {
    this.offline = offline
    this.main.classList.toggle('stale', offline !== null)
    this.callbacks.changed()
  }
}

const titleOf = (module, page) => page.parts.length > 1 ? page.parts.at(-1) : module.title
