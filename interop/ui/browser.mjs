// The browser, and a watch over what its pages do.
import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

export const launch = () => chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })

// Watch notes what a page must not do: ask other hosts, break its own policy, fail.
export class Watch {
  found = []

  // over makes a page in a context of its own.
  async over(browser, origin, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (e) => console.error(`Content Security Policy: ${e.violatedDirective} ${e.blockedURI}`))
    })
    const page = await context.newPage()
    page.setDefaultTimeout(30000)
    page.on('request', (r) => { if (!r.url().startsWith(origin) && !/^(data|blob):/.test(r.url())) this.found.push(`a request to ${r.url()}`) })
    page.on('pageerror', (err) => this.found.push(`an error: ${err.stack}`))
    page.on('console', (m) => {
      // A browser writes each refusal to the console by itself; the test provokes some.
      if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) this.found.push(`the console: ${m.text()}`)
    })
    return page
  }

  check() { assert.deepEqual(this.found, []) }
}

// until waits for a condition outside of a browser.
export async function until(what, condition) {
  const end = Date.now() + 30000
  for (;;) {
    if (await condition()) return
    assert.ok(Date.now() < end, `it did not happen: ${what}`)
    await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
}

// show goes to a page of the pages, by its path after #, and waits until it is drawn.
export async function show(page, path) {
  await page.evaluate((to) => { location.hash = to }, path)
  await page.waitForFunction((to) => decodeURI(location.hash).startsWith(decodeURI(to)) && document.querySelector('main h1') !== null && document.querySelector('main .loading') === null, path)
}

// login fills in the form.
export async function login(page, user, password) {
  await page.fill('input[name="user"]', user)
  await page.fill('input[name="password"]', password)
  await page.click('button[type="submit"]')
}

// tile reads a number of the page's top.
export async function tile(page, name) {
  const text = await page.locator('.tile', { has: page.locator(`.tile-name:text-is("${name}")`) }).locator('.tile-value').textContent()
  const factor = { k: 1e3, M: 1e6 }[text.replace('/s', '').at(-1)] ?? 1
  return Number.parseFloat(text.replaceAll(',', '')) * factor
}

// answer fills the fields of the open dialog and runs it. It waits until it is closed.
export async function answer(page, fields = {}) {
  for (const [name, value] of Object.entries(fields)) {
    const input = page.locator(`dialog [name="${name}"]`)
    if (typeof value === 'boolean') await input.setChecked(value)
    else if (await input.evaluate((i) => i.nodeName) === 'SELECT') await input.selectOption(value)
    else await input.fill(value)
  }
  await page.click('dialog button[type="submit"]')
  await page.waitForFunction(() => document.querySelector('dialog') === null)
}
