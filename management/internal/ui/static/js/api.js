// Asking the broker's HTTP API.

// ApiError is an answer that is no success. Its message is the server's reason.
export class ApiError extends Error {
  constructor(status, kind, reason, what) {
    super(reason || kind || `HTTP ${status}`)
    this.status = status
    this.kind = kind
    this.what = what
  }

  // detail is everything there is to know, for a bug report.
  get detail() { return `${this.what}: ${this.status} ${this.kind ?? ''} ${this.message}`.replaceAll('  ', ' ') }
}

// OfflineError says that there was no answer.
export class OfflineError extends Error {}

let authorization = null

// credentials sets whose requests these are; null forgets them.
export function credentials(name, password) {
  if (name === null) {
    authorization = null
    return
  }
  const octets = new TextEncoder().encode(`${name}:${password}`)
  authorization = `Basic ${btoa(Array.from(octets, (o) => String.fromCharCode(o)).join(''))}`
}

// loggedIn says whether credentials are set.
export const loggedIn = () => authorization !== null

// url makes a URL of path parts and a query. It is relative: the pages may be mounted
// under any prefix.
function url(parts, query) {
  for (const part of parts) {
    // A browser takes these for directories, even when they are escaped.
    if (part === '.' || part === '..' || part === '') throw new Error(`A browser cannot ask for an object named "${part}".`)
  }
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== '') search.set(name, value)
  }
  const tail = search.size > 0 ? `?${search}` : ''
  return `api/${parts.map(encodeURIComponent).join('/')}${tail}`
}

// send sends a request and returns the response, or throws an ApiError or OfflineError.
// A timeout of zero waits as long as it takes.
export async function send(method, parts, { query, body, signal, timeout = 15000, accept = 'application/json' } = {}) {
  const headers = { Accept: accept, 'X-Warren-UI': '1' }
  if (authorization) headers.Authorization = authorization
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const signals = [signal, timeout > 0 && AbortSignal.timeout(timeout)].filter(Boolean)
  const what = `${method} ${url(parts, query)}`
  let response
  try {
    response = await fetch(url(parts, query), {
      method, headers, body, credentials: 'omit', cache: 'no-store', redirect: 'error',
      signal: signals.length > 0 ? AbortSignal.any(signals) : undefined,
    })
  } catch (err) {
    if (signal?.aborted) throw err
    throw new OfflineError(err.name === 'TimeoutError' ? 'The broker does not answer.' : 'The broker cannot be reached.')
  }
  if (response.ok) return response
  const text = await response.text().catch(() => '')
  let answer = {}
  try { answer = JSON.parse(text) ?? {} } catch { answer = { reason: text.slice(0, 500) } }
  const reason = typeof answer.reason === 'string' ? answer.reason : JSON.stringify(answer.reason ?? answer)
  if ([502, 503, 504].includes(response.status) && !parts.includes('health')) {
    throw new OfflineError(reason === '{}' ? `The broker is not available (${response.status}).` : reason)
  }
  throw new ApiError(response.status, answer.error, reason, what)
}

// json sends a request with a JSON body, if any, and returns the answer's JSON. An empty
// answer is null.
async function json(method, parts, options = {}) {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body)
  const response = await send(method, parts, { ...options, body })
  try {
    const text = await response.text()
    return text === '' ? null : JSON.parse(text)
  } catch (err) {
    if (options.signal?.aborted) throw err
    throw new OfflineError('The broker went away while it answered.')
  }
}

export const get = (parts, query, signal) => json('GET', parts, { query, signal })
export const put = (parts, body) => json('PUT', parts, { body, timeout: 60000 })
export const post = (parts, body) => json('POST', parts, { body, timeout: 60000 })
export const remove = (parts, query) => json('DELETE', parts, { query, timeout: 60000 })
