// Names that a page must show as they are, and definitions with them.

export const hostile = [
  '"><script>window.pwned=1</script>',
  "<img src=x onerror='window.pwned=1'>",
  'both "double" and \'single\' quotes & an &amp;',
  ' spaces,\ttabs and \u202etricks ',
  'a/b%2Fc?d=e#f..',
  '{{constructor.constructor("window.pwned=1")()}}',
  'javascript:window.pwned=1',
  `${'é'.repeat(127)}x`, // 255 bytes
]

// manyQueues makes definitions with n queues, and those with hostile names.
export function manyQueues(n) {
  const names = Array.from({ length: n }, (_, i) => `many-${String(i).padStart(5, '0')}`)
  const queue = (name) => ({ name, vhost: '/', durable: false, auto_delete: false, arguments: {} })
  return {
    vhosts: [{ name: '/' }],
    exchanges: [{ name: hostile[0], vhost: '/', type: 'topic', durable: false, auto_delete: false, internal: false, arguments: {} }],
    queues: [...names, ...hostile].map(queue),
    bindings: hostile.map((name) => ({ source: hostile[0], vhost: '/', destination: name, destination_type: 'queue', routing_key: `a line\nand ${name.slice(0, 60)}`, arguments: {} })),
  }
}
