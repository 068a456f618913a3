// Pictures of pages with a shop's traffic: in light and dark, and as on a phone.
import { login, show } from './browser.mjs'

const places = { overview: '#/overview', queue: '#/queues/%2F/billing', topology: '#/topology', rpc: '#/rpc', queues: '#/queues' }

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
}

// readme is the part of the overview that the README shows.
const readme = { x: 0, y: 0, width: 1280, height: 684 }

// samples are how many a chart must have, so that there is something to see.
const samples = Number(process.env.UI_SAMPLES ?? 4)

export async function screenshots(browser, program, watch, dir) {
  const open = []
  for (const [look, options] of Object.entries(looks)) {
    const page = await watch.over(browser, program.http, options)
    await page.goto(program.http)
    await login(page, 'guest', 'guest')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    open.push([look, page])
  }
  for (const [name, path] of Object.entries(places)) {
    await Promise.all(open.map(async ([, page]) => {
      await show(page, path)
      await ready(page, name)
    }))
    for (const [look, page] of open) {
      await page.screenshot({ path: `${dir}/${name}-${look}.png`, fullPage: true })
      if (name === 'overview' && look === 'light') await page.screenshot({ path: `${dir}/overview.png`, clip: readme })
    }
  }
  for (const [, page] of open) await page.context().close()
}

// ready waits until charts have lines and edges have rates.
async function ready(page, name) {
  if (name === 'topology') await page.waitForFunction(() => document.querySelectorAll('.edge-rate').length > 15)
  else if (name !== 'queues') await page.waitForFunction((n) => (document.querySelector('.chart .line')?.getAttribute('d') ?? '').split('L').length >= n, samples, { timeout: 120000 })
}
