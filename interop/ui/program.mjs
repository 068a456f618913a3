// The program with the broker: started, stopped, and started again where it was, with
// what was durable.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export class Program {
  #child
  amqp
  http

  // start starts it; at the same addresses as before, if it ran before.
  async start() {
    const at = this.http ? ['-amqp', new URL(this.amqp).host, '-http', new URL(this.http).host] : []
    this.#child = spawn(process.env.UI_PROGRAM, ['-dir', process.env.UI_DIR, ...at], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: this.#child.stdout })
    const [line] = await once(lines, 'line')
    const [amqp, http] = line.split(' ')
    this.amqp = amqp.replace('amqp://', 'amqp://guest:guest@')
    this.http = http
  }

  // stop ends it.
  async stop() {
    if (!this.#child || this.#child.exitCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await gone
  }

  // api asks the API beside the browser, as guest.
  async api(method, path, body) {
    const response = await fetch(`${this.http}api/${path}`, {
      method, body: body === undefined ? undefined : JSON.stringify(body),
      headers: { Authorization: `Basic ${btoa('guest:guest')}`, 'Content-Type': 'application/json' },
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    const text = await response.text()
    return text === '' ? null : JSON.parse(text)
  }
}
