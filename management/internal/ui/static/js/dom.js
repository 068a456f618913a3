// Making elements. Everything that is shown becomes a text node or an attribute here;
// nothing in these pages parses HTML, so a name from a client cannot become markup.

const svgSpace = 'http://www.w3.org/2000/svg'

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith('on') || name === 'key' || name === 'keep') node[name] = value
    else node.setAttribute(name, value === true ? '' : value)
  }
  append(node, children)
  return node
}

function append(node, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue
    if (Array.isArray(child)) append(node, child)
    else node.append(child instanceof Node ? child : document.createTextNode(String(child)))
  }
}

// el makes an HTML element. Properties that begin with "on" are handlers, the others
// are attributes, except two that morph uses: key (the row it is) and keep (it looks
// after its own content). Children that are null, undefined or false are left out.
export const el = (tag, props, ...children) => fill(document.createElement(tag), props, children)

// svg makes an SVG element in the same way.
export const svg = (tag, props, ...children) => fill(document.createElementNS(svgSpace, tag), props, children)
