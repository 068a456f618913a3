import * as api from '../api.js'
import { attempt, confirm } from '../dialogs.js'
import { el } from '../dom.js'
import { bytes } from '../format.js'
import { button, heading, section } from '../parts.js'
import * as scope from '../scope.js'
import { refused } from '../notices.js'

export const title = 'Definitions'
export const still = true // the file that was chosen stays

export const load = () => null

export function view() {
  const vhost = scope.vhost()
  const what = vhost === '' ? 'the whole broker: virtual hosts, users with the hashes of their passwords, permissions, policies, exchanges, queues and bindings' : `virtual host ${vhost}: exchanges, queues, bindings and policies`
  const file = el('input', { type: 'file', accept: '.json,application/json', id: 'definitions-file' })
  return [
    heading({ title, about: vhost === '' ? 'whole broker' : `virtual host ${vhost}` }),
    el('div', { class: 'grid' },
      section('Download', el('p', null, `A JSON file with ${what}. It has no messages.`), el('div', { class: 'row' }, button('Download', () => download(vhost), 'primary'))),
      section('Upload', el('p', null, 'What the file has is added to what there is. Exchanges and queues that exist stay as they are; users and policies of the same name are replaced.'),
        el('div', { class: 'field' }, el('label', { for: 'definitions-file' }, 'File'), file), el('div', { class: 'row' }, button('Upload…', () => upload(vhost, document.getElementById('definitions-file').files[0]), 'primary')))),
  ]
}

const path = (vhost) => vhost === '' ? ['definitions'] : ['definitions', vhost]

function download(vhost) {
  attempt(async () => {
    const response = await api.send('GET', path(vhost), { timeout: 0 })
    const url = URL.createObjectURL(await response.blob())
    const day = new Date().toISOString().slice(0, 10)
    const anchor = el('a', { href: url, download: `definitions-${day}.json` })
    anchor.click()
    setTimeout(() => URL.revokeObjectURL(url), 60000)
  })
}

async function upload(vhost, file) {
  if (!file) {
    refused(new Error('Choose a file first.'))
    return
  }
  await confirm({
    title: 'Upload these definitions?', action: 'Upload', done: 'The definitions are imported.',
    text: `${file.name}, ${bytes(file.size)}, into ${vhost === '' ? 'the broker' : `virtual host ${vhost}`}.`,
    run: async () => {
      const text = await file.text()
      JSON.parse(text) // a clear error before anything is sent
      await api.send('POST', path(vhost), { body: text, timeout: 0 })
    },
  })
}
