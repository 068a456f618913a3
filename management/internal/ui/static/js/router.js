// The part of the URL after # says what is shown: #/queues/%2F/orders?range=600. So the
// server needs one page only, and back, forward and bookmarks work.

// parse returns the parts of the path and the query of the current URL.
export function parse() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?')
  let parts
  try { parts = path.split('/').filter(Boolean).map(decodeURIComponent) } catch { parts = [] }
  return { parts, query: Object.fromEntries(new URLSearchParams(search)) }
}

// link makes the URL of a page.
export function link(parts, query) {
  const search = new URLSearchParams(Object.entries(query ?? {}).filter(([, v]) => v !== undefined && v !== '' && v !== null))
  return `#/${parts.map(encodeURIComponent).join('/')}${search.size > 0 ? `?${search}` : ''}`
}

// go shows another page.
export function go(parts, query) { location.hash = link(parts, query) }

// change sets parts of the current page's query, without a new entry in the history.
export function change(query) {
  const now = parse()
  history.replaceState(null, '', link(now.parts, { ...now.query, ...query }))
}
