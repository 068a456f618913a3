// Reading a stream of server-sent events by fetch, which can send the login; the
// browser's own EventSource cannot.

// lines yields {kind, data, at} for each event of a response's body. Data is JSON.
export async function * lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      rest += value
      const blocks = rest.split('\n\n')
      rest = blocks.pop()
      for (const block of blocks) {
        const event = parse(block)
        if (event) yield event
      }
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

// parse reads one event. Comments, which keep the connection open, give null.
function parse(block) {
  let kind = 'message'
  const data = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) kind = line.slice(6).trim()
    else if (line.startsWith('data:')) data.push(line.slice(5))
  }
  if (data.length === 0) return null
  try {
    return { kind, data: JSON.parse(data.join('\n')), at: Date.now() }
  } catch {
    return { kind, data: { message: data.join('\n') }, at: Date.now() }
  }
}
