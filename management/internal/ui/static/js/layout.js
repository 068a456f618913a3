// Where the nodes of the topology picture go: in layers from left to right, each in an
// order that lets few edges cross.

// layout places nodes {id, layer, ...} that edges {from, to} join. It gives each node x
// and y of its middle left, and returns the size of all. Sizes are in SVG units.
export function layout(nodes, edges, { width, height, gapX, gapY }) {
  const layers = []
  for (const node of nodes) (layers[node.layer] ??= []).push(node)
  const used = layers.filter(Boolean)
  order(used, edges)
  const tall = Math.max(...used.map((l) => l.length), 1) * (height + gapY)
  used.forEach((layer, i) => {
    const x = i * (width + gapX)
    const step = Math.min(tall / layer.length, (height + gapY) * 3)
    const top = (tall - step * layer.length) / 2
    layer.forEach((node, n) => {
      node.x = x
      node.y = top + step * (n + 0.5)
    })
  })
  for (let round = 0; round < 3; round++) used.forEach((layer) => pull(layer, edges, height + gapY, tall))
  return { width: Math.max(1, used.length) * (width + gapX) - gapX, height: tall }
}

// order sorts layers by the middle of each node's neighbours, forth and back.
function order(layers, edges) {
  const neighbours = around(edges)
  const place = new Map()
  const note = (layer) => layer.forEach((node, i) => place.set(node.id, (i + 0.5) / layer.length))
  layers.forEach(note)
  for (let round = 0; round < 8; round++) {
    const sweep = round % 2 === 0 ? layers : [...layers].reverse()
    for (const layer of sweep) {
      const middle = new Map(layer.map((node) => [node.id, mean(neighbours.get(node.id), place) ?? place.get(node.id)]))
      layer.sort((a, b) => middle.get(a.id) - middle.get(b.id))
      note(layer)
    }
  }
}

// pull moves nodes towards their neighbours as far as their order and size allow.
function pull(layer, edges, step, tall) {
  const ys = new Map()
  for (const e of edges) {
    push(ys, e.from.id, e.to.y)
    push(ys, e.to.id, e.from.y)
  }
  const wish = layer.map((node) => {
    const all = ys.get(node.id)
    return all ? all.reduce((a, b) => a + b) / all.length : node.y
  })
  let least = step / 2
  layer.forEach((node, i) => {
    const most = tall - step * (layer.length - i - 0.5)
    node.y = Math.min(most, Math.max(least, wish[i]))
    least = node.y + step
  })
}

function around(edges) {
  const all = new Map()
  for (const e of edges) {
    push(all, e.from.id, e.to.id)
    push(all, e.to.id, e.from.id)
  }
  return all
}

function push(map, key, value) {
  if (!map.has(key)) map.set(key, [])
  map.get(key).push(value)
}

function mean(ids, place) {
  if (!ids) return undefined
  return ids.reduce((sum, id) => sum + place.get(id), 0) / ids.length
}
