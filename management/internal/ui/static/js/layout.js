// Where the nodes of the topology picture go: in layers from left to right, each in an
// order that lets few edges cross. An edge that passes a layer gets a point in it, so
// that it goes between the nodes there.

const pointHeight = 14

// layout places nodes {id, layer} that edges {from, to} join. It gives each node x and
// y of its middle left, and each edge via: the points in the layers that it passes. It
// returns the size of all. Sizes are in SVG units; room is the height of a node with
// the gap below it.
export function layout(nodes, edges, { width, room, gap }) {
  const layers = []
  for (const node of nodes) {
    node.room = room
    ;(layers[node.layer] ??= []).push(node)
  }
  const steps = edges.flatMap((edge) => walk(edge, layers))
  const used = layers.filter(Boolean)
  order(used, steps)
  const needs = (layer) => layer.reduce((sum, node) => sum + node.room, 0)
  const tall = Math.max(...used.map(needs), room)
  used.forEach((layer, i) => {
    const spare = Math.min((tall - needs(layer)) / layer.length, room)
    let y = (tall - needs(layer) - spare * layer.length) / 2
    for (const node of layer) {
      node.x = i * (width + gap)
      node.y = y + (node.room + spare) / 2
      y += node.room + spare
    }
  })
  const ends = neighbours(steps)
  for (let round = 0; round < 6; round++) {
    for (const layer of round % 2 === 0 ? used : [...used].reverse()) pull(layer, ends, tall)
  }
  return { width: Math.max(1, used.length) * (width + gap) - gap, height: tall }
}

// walk cuts an edge into steps from layer to layer.
function walk(edge, layers) {
  edge.via = []
  for (let layer = edge.from.layer + 1; layer < edge.to.layer; layer++) {
    const point = { id: `${edge.id} ${layer}`, layer, room: pointHeight }
    edge.via.push(point)
    ;(layers[layer] ??= []).push(point)
  }
  const all = [edge.from, ...edge.via, edge.to]
  return all.slice(1).map((to, i) => ({ from: all[i], to }))
}

function neighbours(steps) {
  const all = new Map()
  const note = (a, b) => all.has(a) ? all.get(a).push(b) : all.set(a, [b])
  for (const { from, to } of steps) {
    note(from, to)
    note(to, from)
  }
  return all
}

// order sorts layers by the middle of each node's neighbours, forth and back.
function order(layers, steps) {
  const ends = neighbours(steps)
  const place = new Map()
  const note = (layer) => layer.forEach((node, i) => place.set(node, (i + 0.5) / layer.length))
  layers.forEach(note)
  for (let round = 0; round < 10; round++) {
    for (const layer of round % 2 === 0 ? layers : [...layers].reverse()) {
      const wish = new Map(layer.map((node) => [node, mean(ends.get(node), (n) => place.get(n)) ?? place.get(node)]))
      layer.sort((a, b) => wish.get(a) - wish.get(b))
      note(layer)
    }
  }
}

// pull moves the nodes of a layer towards their neighbours, as far as their order and
// the height of all allow.
function pull(layer, ends, tall) {
  const wish = layer.map((node) => mean(ends.get(node), (n) => n.y) ?? node.y)
  const below = layer.map(() => 0) // room that the nodes after this one need
  for (let i = layer.length - 2; i >= 0; i--) below[i] = below[i + 1] + layer[i + 1].room
  let least = 0
  layer.forEach((node, i) => {
    node.y = Math.max(least + node.room / 2, Math.min(wish[i], tall - below[i] - node.room / 2))
    least = node.y + node.room / 2
  })
}

function mean(nodes, of) {
  if (!nodes) return undefined
  return nodes.reduce((sum, node) => sum + of(node), 0) / nodes.length
}
