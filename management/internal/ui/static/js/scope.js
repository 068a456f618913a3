// The virtual host that lists are limited to; empty: all of them.

let chosen = ''
let known = []

export const vhost = () => chosen
export const vhosts = () => known

// choose limits lists to a virtual host.
export function choose(name) { chosen = name }

// learn takes the names of the virtual hosts that exist.
export function learn(names) {
  known = names
  if (chosen !== '' && !names.includes(chosen)) chosen = ''
}

// preset is the virtual host that a form begins with.
export const preset = () => chosen || (known.includes('/') ? '/' : known[0] ?? '/')
