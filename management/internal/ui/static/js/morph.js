// Bringing what is shown up to date: morph changes the children of an element into
// fresh ones and keeps nodes that are the same, so that focus, selected text, scroll
// positions and half-written input survive a refresh.

const handlers = ['onclick', 'onsubmit', 'oninput', 'onchange', 'onkeydown', 'onpointermove', 'onpointerleave', 'onfocusin', 'onfocusout', 'ontoggle']

// morph makes the children of parent like the nodes given.
export function morph(parent, nodes) {
  const fresh = document.createDocumentFragment()
  fresh.append(...nodes.flat(Infinity).filter((n) => n !== undefined && n !== null && n !== false))
  const focused = document.activeElement
  children(parent, fresh)
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true })
}

const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.key === b.key && a.namespaceURI === b.namespaceURI

function children(old, fresh) {
  const keyed = new Map()
  for (const child of old.childNodes) if (child.key !== undefined) keyed.set(child.key, child)
  let at = old.firstChild
  for (const next of [...fresh.childNodes]) {
    const match = next.key === undefined ? at : keyed.get(next.key)
    if (!match || !same(match, next)) {
      old.insertBefore(next, at)
      continue
    }
    keyed.delete(next.key)
    if (match === at) at = at.nextSibling
    else old.insertBefore(match, at)
    update(match, next)
  }
  while (at) {
    const gone = at
    at = at.nextSibling
    gone.remove()
  }
}

function update(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data
    return
  }
  for (const { name } of [...old.attributes]) {
    // What the reader has opened stays open.
    if (!next.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name)
  }
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  for (const name of handlers) if (old[name] !== next[name]) old[name] = next[name]
  if (!old.keep) children(old, next)
}
