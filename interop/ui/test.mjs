// Goes through the pages: what a reader does, and what must not happen to one.
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import amqplib from 'amqplib'
import { answer, launch, login, show, tile, until, Watch } from './browser.mjs'
import { hostile, manyQueues } from './definitions.mjs'
import { Program } from './program.mjs'
import { screenshots } from './screenshots.mjs'
import { start } from './traffic.mjs'

const program = new Program()
const watch = new Watch()
const part = async (name, run) => {
  await run()
  watch.check()
  console.log(`ui: ${name}`)
}

// connect connects a client, which does not mind when the broker ends.
async function connect() {
  const connection = await amqplib.connect(program.amqp, { noDelay: true })
  connection.on('error', () => {})
  return connection
}

const text = (page) => page.locator('main').innerText()

async function logins(page) {
  await page.goto(program.http)
  await login(page, 'guest', 'wrong')
  await page.getByText('The user or the password is wrong.').waitFor()
  await login(page, 'nobody', 'secret')
  await page.getByText('The server refused the login: Not management user').waitFor()
  await login(page, 'guest', 'guest')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}

// queue declares a queue by the page, and sees messages come, stay, and go.
async function queue(page) {
  await show(page, '#/queues')
  await page.click('text=Declare queue…')
  await answer(page, { name: 'todo', arguments: '{"x-max-length": 1000}' })
  await page.locator('tbody').getByRole('link', { name: 'todo', exact: true }).click()
  await page.getByRole('heading', { name: 'todo' }).waitFor()
  assert.match(await text(page), /x-max-length\s+1000/)
  for (const body of ['first', 'second', 'third']) {
    await page.click('text=Publish…')
    await answer(page, { payload: body, headers: `{"which": "${body}"}` })
  }
  await page.waitForFunction(() => /Ready\s*3/.test(document.querySelector('.tiles').innerText))
  await page.click('#peek')
  await page.waitForFunction(() => document.querySelectorAll('.message').length === 3)
  assert.deepEqual(await page.locator('.message pre').allTextContents(), ['first', 'second', 'third'])
  assert.equal(await tile(page, 'Ready'), 3)
  await page.click('text=Get…')
  await answer(page, { count: '2', mode: 'ack_requeue_false' })
  await page.waitForFunction(() => document.querySelectorAll('.message').length === 2)
  await page.waitForFunction(() => /Ready\s*1/.test(document.querySelector('.tiles').innerText))
  await page.click('text=Purge…')
  await page.keyboard.press('Escape')
  await page.waitForFunction(() => document.querySelector('dialog') === null)
  assert.equal((await program.api('GET', 'queues/%2F/todo')).messages, 1)
  await page.click('text=Purge…')
  await answer(page)
  await page.waitForFunction(() => /Ready\s*0/.test(document.querySelector('.tiles').innerText))
}

// rates sees a rate rise while a client publishes.
async function rates(page) {
  assert.equal(await page.locator('#status').textContent(), 'Live')
  const connection = await connect()
  const channel = await connection.createChannel()
  const timer = setInterval(() => { for (let i = 0; i < 5; i++) channel.sendToQueue('todo', Buffer.from('x')) }, 50)
  await page.waitForFunction(() => {
    const value = [...document.querySelectorAll('.tile')].find((t) => t.innerText.startsWith('Publish'))?.querySelector('.tile-value').textContent
    return Number.parseFloat(value) > 20
  })
  await page.waitForFunction(() => document.querySelector('.chart .c1 .line')?.getAttribute('d').split('L').length > 2)
  clearInterval(timer)
  await connection.close()
}

// bindings binds by the page, publishes to the exchange by the page, and unbinds.
async function bindings(page) {
  await show(page, '#/exchanges')
  await page.click('text=Declare exchange…')
  await answer(page, { name: 'by topic', type: 'topic' })
  await page.locator('tbody').getByRole('link', { name: 'by topic', exact: true }).click()
  await page.click('text=Bind to a destination…')
  await answer(page, { destination: 'todo', routing_key: 'a.*' })
  await page.locator('td:has-text("a.*")').waitFor()
  await program.api('DELETE', 'queues/%2F/todo/contents')
  await page.click('text=Publish…')
  await answer(page, { key: 'a.b', payload: 'routed' })
  assert.equal((await program.api('GET', 'warren/peek/%2F/todo?count=5')).at(-1).payload, 'routed')
  await page.click('text=Publish…')
  await page.fill('dialog [name="key"]', 'c.b')
  await page.click('dialog button[type="submit"]')
  await page.locator('dialog .failure', { hasText: 'no queue took it' }).waitFor()
  await page.click('dialog >> text=Cancel')
  await page.click('text=Unbind…')
  await answer(page)
  await page.getByText('Nothing is bound to this exchange').waitFor()
  await page.click('text=Delete…')
  await answer(page)
  await page.waitForFunction(() => location.hash === '#/exchanges')
}

// definitions uploads many queues and hostile names, and downloads them.
async function definitions(page) {
  await show(page, '#/definitions')
  await page.setInputFiles('#definitions-file', { name: 'defs.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(manyQueues(10000))) })
  await page.click('text=Upload…')
  await answer(page)
  await page.getByText('The definitions are imported.').waitFor()
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('button:text-is("Download")')])
  assert.match(download.suggestedFilename(), /^definitions-.*\.json$/)
  await page.setInputFiles('#definitions-file', { name: 'no.json', mimeType: 'application/json', buffer: Buffer.from('{"queues": [') })
  await page.click('text=Upload…')
  await page.click('dialog button[type="submit"]')
  await page.locator('dialog .failure').waitFor()
  await page.keyboard.press('Escape')
}

// many looks for one queue of ten thousand.
async function many(page) {
  await show(page, '#/queues')
  await page.waitForFunction(() => /\b10,0\d\d\b/.test(document.querySelector('.heading .about').innerText))
  assert.equal(await page.locator('tbody tr').count(), 50)
  await page.click('button[aria-label="Last page"]')
  await page.waitForFunction(() => document.querySelector('button[aria-label="Last page"]').disabled)
  await page.click('button:text-is("Name")')
  await page.waitForFunction(() => document.querySelector('th[aria-sort]')?.innerText.startsWith('Name'))
  await page.fill('main input[type="search"]', 'many-09999')
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1)
  assert.match(page.url(), /name=many-09999/)
  await page.fill('main input[type="search"]', 'no such name')
  await page.getByText('Nothing here has "no such name" in its name.').waitFor()
  await page.fill('main input[type="search"]', '')
  await page.locator('tbody tr').nth(49).waitFor()
  await show(page, '#/topology')
  await page.locator('svg.topology').waitFor()
  assert.match(await text(page), /150 of 10,0\d\d queues/)
}

// names sees that names and messages which want to be markup stay text.
async function names(page) {
  await show(page, '#/vhosts')
  for (const name of hostile) {
    await page.evaluate((n) => { location.hash = `/queues?name=${encodeURIComponent(n)}` }, name)
    await page.waitForFunction((n) => document.querySelectorAll('tbody tr').length === 1 && document.querySelector('tbody .name')?.textContent === n, name)
    await page.click('tbody th a')
    await page.waitForFunction((n) => document.querySelector('main h1')?.textContent === n, name)
    await page.waitForFunction((n) => [...document.querySelectorAll('td .name')].some((e) => e.textContent === `a line\nand ${n.slice(0, 60)}`), name)
  }
  const connection = await connect()
  const channel = await connection.createConfirmChannel()
  channel.sendToQueue('todo', Buffer.from(hostile[0]), { headers: { [hostile[1]]: hostile[0] }, contentType: hostile[0] })
  await channel.waitForConfirms()
  await channel.assertQueue('locked', { exclusive: true })
  await show(page, '#/queues/%2F/todo')
  await page.click('#peek')
  await page.locator('.message summary').last().click()
  const message = page.locator('.message').last()
  assert.equal(await message.locator('pre').textContent(), hostile[0])
  assert.ok((await message.locator('dt').allTextContents()).includes(hostile[1]))
  await show(page, '#/topology')
  await page.locator('svg.topology').waitFor()
  assert.equal(await page.evaluate(() => window.pwned), undefined)
  // What the server refuses is shown with its reason.
  await show(page, '#/queues/%2F/locked')
  await page.click('text=Delete…')
  await page.click('dialog button[type="submit"]')
  await page.locator('dialog .failure', { hasText: 'cannot obtain exclusive access' }).waitFor()
  await page.locator('dialog .failure button:text-is("Copy")').waitFor()
  await page.keyboard.press('Escape')
  await connection.close()
}

// watcher is a user who may look and not touch.
async function watcher(browser) {
  const page = await watch.over(browser, program.http)
  await page.goto(program.http)
  await login(page, 'watcher', 'secret')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  assert.deepEqual(await page.locator('nav.places a:text-is("Users")').count(), 0)
  assert.deepEqual(await page.locator('nav.places a:text-is("Definitions")').count(), 0)
  await show(page, '#/queues')
  await page.locator('tbody tr').first().waitFor()
  assert.equal(await page.locator('text=Declare queue…').count(), 0)
  await page.locator('tbody th a').first().click()
  await page.getByRole('heading', { name: 'Effective policy' }).waitFor()
  assert.deepEqual(await page.locator('main button').allTextContents(), ['1 min', '10 min', '1 hour'])
  await show(page, '#/users') // by its address
  await page.locator('.failure', { hasText: 'Not administrator' }).waitFor()
  // Who loses the tag loses the page.
  await show(page, '#/overview')
  await program.api('PUT', 'users/watcher', { password: 'secret', tags: '' })
  await page.getByText('The server no longer takes your login').waitFor()
  await program.api('PUT', 'users/watcher', { password: 'secret', tags: 'monitoring' })
  await page.context().close()
}

// keys goes through the page by keyboard.
async function keys(page) {
  await show(page, '#/overview')
  await page.focus('a.brand') // the first of the frame; before it is the link that skips it
  await page.keyboard.press('Shift+Tab')
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip')
  await page.keyboard.press('Enter')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main')
  assert.equal(await page.evaluate(() => location.hash), '#/overview')
  await show(page, '#/queues')
  await page.locator('tbody tr').first().waitFor()
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, a, input, select')].filter((e) => !e.innerText && !e.ariaLabel && !e.labels?.length && e.type !== 'hidden').map((e) => e.outerHTML))
  assert.deepEqual(nameless, [])
  await page.focus('button:text-is("Ready")')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.querySelector('th[aria-sort="descending"]')?.innerText.startsWith('Ready'))
  assert.match(await page.evaluate(() => document.activeElement.innerText), /^Ready/) // the focus stays through a refresh
}

// pause stops and resumes what is refreshed.
async function pause(page) {
  await show(page, '#/queues/%2F/paused')
  await page.getByText('This does not exist, or no longer.').waitFor()
  await page.click('#pause')
  await page.locator('#status:text-is("Paused")').waitFor()
  await program.api('PUT', 'queues/%2F/paused', { durable: false })
  assert.match(await text(page), /This does not exist/)
  await page.click('#pause')
  await page.getByRole('heading', { name: 'Effective policy' }).waitFor()
}

// events sees what happens as it happens.
async function events(page) {
  await show(page, '#/events')
  await page.locator('.heading .about:text-is("listening")').waitFor()
  await program.api('PUT', 'queues/%2F/noticed', { durable: false })
  await page.locator('tbody tr', { hasText: 'queue.created' }).filter({ hasText: 'noticed' }).waitFor()
}

// connections closes a client's connection.
async function connections(page) {
  const connection = await amqplib.connect(program.amqp, { noDelay: true, clientProperties: { connection_name: 'to be closed' } })
  let reason
  connection.on('error', (err) => { reason = err.message })
  connection.on('close', (err) => { reason ??= err?.message ?? 'closed' })
  await connection.createChannel()
  await show(page, '#/connections')
  await page.locator('tbody tr', { hasText: 'to be closed' }).locator('a').first().click()
  await page.getByRole('heading', { name: 'Client properties' }).waitFor()
  assert.match(await text(page), /to be closed/)
  await page.click('text=Close…')
  await answer(page)
  await until('the client is told', () => reason !== undefined)
  assert.match(reason, /CONNECTION_FORCED/)
}

// restart stops the broker under an open page, and starts it again.
async function restart(page) {
  await show(page, '#/overview')
  await program.stop()
  await page.locator('#offline').waitFor()
  assert.equal(await page.locator('#status').textContent(), 'Offline')
  await program.start()
  await page.locator('#offline').waitFor({ state: 'detached' })
  await page.locator('#status:text-is("Live")').waitFor()
}

async function remove(page) {
  await show(page, '#/queues/%2F/todo')
  await page.click('text=Delete…')
  await answer(page)
  await page.waitForFunction(() => location.hash === '#/queues')
  await assert.rejects(program.api('GET', 'queues/%2F/todo'), /404/)
}

await program.start()
await mkdir(process.env.UI_SHOTS, { recursive: true })
const browser = await launch()
const page = await watch.over(browser, program.http)
try {
  await part('logins, and those that are refused', () => logins(page))
  await part('a queue is declared; messages are published, peeked at, got and purged', () => queue(page))
  await part('a rate rises', () => rates(page))
  await part('bindings are made and removed', () => bindings(page))
  await part('a connection is closed', () => connections(page))
  await part('events are seen', () => events(page))
  await part('definitions are uploaded and downloaded', () => definitions(page))
  await part('one of ten thousand queues is found', () => many(page))
  await part('hostile names and messages are text, refusals have a reason', () => names(page))
  await part('a queue is deleted', () => remove(page))
  await part('a user with the tag monitoring sees and changes nothing', () => watcher(browser))
  await part('it works by keyboard', () => keys(page))
  await part('it is paused and resumed', () => pause(page))
  await part('the broker goes away and comes back', () => restart(page))
  const traffic = await start(program.amqp)
  await part(`screenshots are in ${process.env.UI_SHOTS}`, () => screenshots(browser, program, watch, process.env.UI_SHOTS))
  await traffic.stop()
} catch (err) {
  await page.screenshot({ path: `${process.env.UI_SHOTS}/failure.png` })
  console.error(err, watch.found, page.url())
  process.exitCode = 1
} finally {
  await browser.close()
  await program.stop()
}
