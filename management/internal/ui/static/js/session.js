// Who looks, and what they may do. What may not be done is not offered; what the server
// refuses all the same is shown with its reason.
import * as api from './api.js'

const stored = 'warren-login'
// Each tag includes those before it.
const tagRanks = ['management', 'policymaker', 'monitoring', 'administrator']

let user = null
let rights = null // by virtual host; null: the server did not tell

// current is the user's name.
export const current = () => user?.name ?? ''

// login tries a name and a password. With keep they outlive a reload of this tab.
export async function login(name, password, keep) {
  api.credentials(name, password)
  try {
    await recognise()
  } catch (err) {
    api.credentials(null)
    throw err
  }
  if (keep) sessionStorage.setItem(stored, JSON.stringify([name, password]))
}

// restore logs in with what the tab has kept. It returns whether there was something.
export async function restore() {
  const kept = sessionStorage.getItem(stored)
  if (!kept) return false
  const [name, password] = JSON.parse(kept)
  await login(name, password, true)
  return true
}

// recognise asks anew who the user is.
export async function recognise() {
  user = await api.get(['whoami'])
  rights = null
  try {
    const own = await api.get(['warren', 'rights'])
    rights = new Map(own.permissions.map((p) => [p.vhost, p]))
  } catch (err) {
    if (!(err instanceof api.ApiError)) throw err
  }
}

// logout forgets the user and the password.
export function logout() {
  user = null
  rights = null
  api.credentials(null)
  sessionStorage.removeItem(stored)
}

// is says whether the user has a tag, or one that includes it. Policymaker and
// monitoring do not include each other.
export function is(tag) {
  const tags = (Array.isArray(user?.tags) ? user.tags : String(user?.tags ?? '').split(',')).map((t) => t.trim())
  if (tags.includes('administrator') || tags.includes(tag)) return true
  return tag === 'management' && tagRanks.some((t) => tags.includes(t))
}

// configuresAny says whether there is anything that the user may declare.
export const configuresAny = () => rights === null || [...rights.values()].some((p) => p.configure !== '')

// may says whether the user has the right configure, write or read for a name in a
// virtual host, as far as the page can tell: if in doubt, yes.
export function may(right, vhost, name) {
  if (rights === null) return true
  const pattern = rights.get(vhost)?.[right]
  if (pattern === undefined || pattern === '') return false
  try {
    return new RegExp(pattern, 'u').test(name)
  } catch {
    return true // the server's patterns know more than the browser's
  }
}
