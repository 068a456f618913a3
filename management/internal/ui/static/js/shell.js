// What is around every page: navigation, the virtual host, the state of the connection.
import { el } from './dom.js'
import { clock } from './format.js'
import { morph } from './morph.js'
import { region } from './notices.js'
import { link } from './router.js'
import * as scope from './scope.js'
import * as session from './session.js'

const places = [
  ['', [['overview', 'Overview'], ['topology', 'Topology'], ['rpc', 'RPC']]],
  ['Objects', [['queues', 'Queues and streams'], ['exchanges', 'Exchanges'], ['connections', 'Connections'], ['channels', 'Channels'], ['consumers', 'Consumers']]],
  ['Manage', [['policies', 'Policies'], ['vhosts', 'Virtual hosts'], ['users', 'Users', 'administrator'], ['definitions', 'Definitions', 'administrator'], ['events', 'Events', 'monitoring']]],
]

// Shell makes the frame. Its actions: logout, choose (a virtual host), pause, refresh.
export class Shell {
  main = el('main', { id: 'main', tabindex: '-1' })
  node
  #header = el('header', { class: 'top' })
  #nav = el('nav', { class: 'places', id: 'places', 'aria-label': 'Pages' })
  #banner = el('div', { class: 'banners', role: 'alert' })

  constructor(actions) {
    this.actions = actions
    this.node = el('div', { class: 'shell' }, this.#header, this.#nav, el('div', { class: 'content' }, this.#banner, region, this.main))
  }

  // draw brings the frame up to date.
  draw({ place, name, live, alarms }) {
    morph(this.#header, this.#top(name, live))
    morph(this.#nav, places.map(([title, pages]) => this.#group(title, pages, place)))
    morph(this.#banner, banners(live, alarms))
  }

  // close folds the navigation of narrow windows.
  close() {
    this.node.classList.remove('open')
  }

  #group(title, pages, place) {
    const allowed = pages.filter(([, , tag]) => tag === undefined || session.is(tag))
    if (allowed.length === 0) return null
    return el('div', { class: 'group' }, title && el('p', { class: 'group-name' }, title), el('ul', null, allowed.map(([path, text]) => el('li', null,
      el('a', { href: link([path]), 'aria-current': path === place ? 'page' : null }, text)))))
  }

  #top(name, live) {
    const status = live.offline ? ['bad', 'Offline'] : live.paused ? ['warn', 'Paused'] : ['good', 'Live']
    return [
      el('button', { type: 'button', class: 'menu', 'aria-label': 'Menu', 'aria-controls': 'places', onclick: () => this.node.classList.toggle('open') }, '☰'),
      el('a', { class: 'brand', href: link(['overview']) }, el('img', { src: 'icon.svg', alt: '', width: 22, height: 22 }), el('span', null, 'Warren')),
      el('span', { class: 'node-name', title: 'This node' }, name),
      el('label', { class: 'scope' }, el('span', { class: 'hidden' }, 'Virtual host'), el('select', { onchange: (e) => this.actions.choose(e.target.value) },
        el('option', { value: '', selected: scope.vhost() === '' }, 'All virtual hosts'), scope.vhosts().map((v) => el('option', { value: v, selected: v === scope.vhost() }, v)))),
      el('span', { class: 'grow' }),
      el('span', { class: `state ${status[0]}`, id: 'status', title: live.updated ? `Last update ${clock(live.updated)}` : null }, status[1]),
      el('button', { type: 'button', class: 'small', id: 'pause', 'aria-pressed': String(live.paused), title: 'Refresh every five seconds, or not', onclick: () => this.actions.pause(!live.paused) }, live.paused ? 'Resume' : 'Pause'),
      el('button', { type: 'button', class: 'small', id: 'refresh', title: 'Refresh now', 'aria-label': 'Refresh now', onclick: this.actions.refresh }, '⟳'),
      el('button', { type: 'button', class: 'small', id: 'theme', title: 'Dark or light', 'aria-label': 'Switch between dark and light', onclick: switchTheme }, '◐'),
      el('button', { type: 'button', class: 'small', id: 'logout', title: `Log out ${session.current()}`, onclick: this.actions.logout }, el('span', { class: 'who' }, session.current()), ' Log out'),
    ]
  }
}

function banners(live, alarms) {
  return [
    live.offline && el('p', { class: 'banner bad', id: 'offline' }, el('strong', null, 'The broker is away. '), live.offline, live.updated ? ` What is shown is of ${clock(live.updated)}.` : '', ' Trying again.'),
    !live.offline && alarms.map(([what, advice]) => el('p', { class: 'banner bad' }, el('strong', null, what, ' '), advice)),
  ]
}

function switchTheme() {
  const root = document.documentElement
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.theme = dark ? 'light' : 'dark'
  try { localStorage.setItem('warren-theme', root.dataset.theme) } catch { /* the choice lasts as long as the page */ }
}
