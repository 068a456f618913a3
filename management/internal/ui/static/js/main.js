// The beginning: login, then the page that the URL names.
import * as api from './api.js'
import { el } from './dom.js'
import { Live } from './live.js'
import { loginPage } from './login.js'
import * as notices from './notices.js'
import { pages } from './pages.js'
import { go, parse } from './router.js'
import * as scope from './scope.js'
import * as session from './session.js'
import { Shell } from './shell.js'

const app = document.getElementById('app')
const shell = new Shell({ logout: () => leave(), choose, pause: (p) => live.pause(p), refresh: () => live.refresh() })
const live = new Live(shell.main, { changed: draw, check, around })
let frame = { name: '', alarms: [] } // what is shown around pages

function draw() {
  shell.draw({ place: parse().parts[0] ?? 'overview', name: frame.name, alarms: frame.alarms, live })
}

// around loads what is around pages: virtual hosts and alarms.
async function around(signal) {
  const optional = (err) => {
    if (err instanceof api.ApiError && err.status !== 401) return [] // the page itself matters more
    throw err
  }
  const [vhosts, nodes] = await Promise.all([
    api.get(['vhosts'], { columns: 'name' }, signal).catch(optional),
    session.is('monitoring') ? api.get(['nodes'], { columns: 'name,mem_alarm,disk_free_alarm' }, signal).catch(optional) : [],
  ])
  scope.learn(vhosts.map((v) => v.name))
  frame = {
    name: nodes[0]?.name ?? '',
    alarms: [
      nodes.some((n) => n.mem_alarm) && ['Memory alarm.', 'Publishers are held back until messages are consumed or memory is freed.'],
      nodes.some((n) => n.disk_free_alarm) && ['Disk alarm.', 'Publishers are held back until there is more free disk space.'],
    ].filter(Boolean),
  }
}

// check says whether the login still holds; if not, it shows the login page.
async function check() {
  try {
    await session.recognise()
    return true
  } catch (err) {
    if (!(err instanceof api.ApiError)) throw err
    leave(`The server no longer takes your login: ${err.message}`)
    return false
  }
}

function choose(vhost) {
  scope.choose(vhost)
  route()
}

function route() {
  if (!api.loggedIn()) return
  const now = parse()
  if (now.parts.length === 0) now.parts = ['overview']
  notices.clear()
  shell.close()
  const page = pages[`${now.parts[0]}/${now.parts.length - 1}`]
  if (!page) {
    go(['overview'])
    return
  }
  scrollTo(0, 0)
  live.show(page, now)
  draw()
}

function enter() {
  app.replaceChildren(shell.node)
  route()
}

function leave(reason) {
  live.end()
  session.logout()
  app.replaceChildren(loginPage(enter, reason))
  app.querySelector('input')?.focus()
}

addEventListener('hashchange', route)
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault() // the part of the URL after # is the page's name
  document.getElementById('main')?.focus()
})

app.replaceChildren(el('p', { class: 'quiet loading' }, 'Loading…'))
session.restore().then((kept) => kept ? enter() : leave(), (err) => leave(err.message))
