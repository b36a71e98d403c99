import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { browser, CHROMIUM } from './browser.ts'
import { curl } from './curl.ts'
import { household, withoutNetns } from './household.ts'
import { missing, output } from './processes.ts'

describe('the household of the tests', { skip: withoutNetns() }, () => {
  it('lets boxes reach each other and leaves no namespace behind', async (t) => {
    const cleanups: (() => void | Promise<void>)[] = []
    const [a, b] = await household({ after: (fn) => void cleanups.push(fn) }, 'a', 'b')
    assert.ok(a && b)
    t.after(async () => {
      for (const fn of cleanups) await fn()
    })
    const ping = await output(
      '/usr/bin/python3',
      ['-c', `import socket; print(socket.socket().connect_ex(("${b.address}", 9)))`],
      { netns: a.netns },
    )
    // ECONNREFUSED: the other box answered.
    assert.equal(ping.trim(), '111')
    for (const fn of cleanups) await fn()
    assert.doesNotMatch(await output('/usr/sbin/ip', ['netns', 'list']), new RegExp(a.netns))
  })
})

describe('the browser of the tests', { skip: missing(CHROMIUM, '/usr/bin/curl') }, () => {
  it('opens a page under a name below localhost', async (t) => {
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end(`<title>${request.headers.host}</title>`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => void server.close())
    const address = server.address()
    assert.ok(typeof address === 'object' && address)
    const host = `x.btlink.localhost:${address.port}`
    const page = await (await browser(t)).newPage()
    await page.goto(`http://${host}/`)
    assert.equal(await page.title(), host)
    const answer = await curl(`http://127.0.0.1:${address.port}/`, { host: 'y.btlink' })
    assert.equal(answer.text(), '<title>y.btlink</title>')
  })
})
