import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { output } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { startHouse } from './fixture.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const house = await startHouse(all)

interface Site {
  url: string
  /** What was asked over each connection, by method and path. */
  asked: string[][]
  sockets: Socket[]
}

/** Says what `answer` gives for each request; undefined hangs up. */
async function site(
  t: Cleanup,
  answer: (nth: number, connection: number) => string | undefined,
): Promise<Site> {
  const asked: string[][] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const connection = sockets.push(socket)
    const own: string[] = []
    asked.push(own)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const line = /^(\w+ \/\S*) HTTP/.exec(chunk.toString())?.[1]
      if (line === undefined) return
      const said = answer(own.push(line), connection)
      if (said === undefined) socket.destroy()
      else socket.write(said)
    })
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, asked, sockets }
}

const whole = (body: string, more = '') =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`
const ask = async (...args: string[]) => output('/usr/bin/curl', ['-sS', '-x', house.url, ...args])

describe('a connection to another site', () => {
  it('is kept for the next request of the same client, and for nobody else', async (t) => {
    const { url, asked } = await site(t, () => whole('x'))
    await ask(`${url}/1`)
    await ask(`${url}/2`)
    await ask('--interface', '127.0.0.2', `${url}/3`)
    assert.deepEqual(asked, [['GET /1', 'GET /2'], ['GET /3']])
  })

  it('is not kept for a name that leads elsewhere now', async (t) => {
    const { url, asked } = await site(t, () => whole('x'))
    const moved = url.replace('127.0.0.1', 'moved.example')
    house.names.set('moved.example', ['127.0.0.1'])
    assert.equal(await ask(`${moved}/1`), 'x')
    house.names.set('moved.example', ['127.0.0.9'])
    assert.match(await ask(`${moved}/2`), /BTL_ERR_PROXY_UNREACHABLE/)
    assert.deepEqual(asked, [['GET /1']])
  })

  it('is new for what may not be said twice', async (t) => {
    const { url, asked } = await site(t, () => whole('x'))
    await ask(`${url}/1`)
    await ask('-d', 'body', `${url}/2`)
    await ask('-X', 'DELETE', `${url}/3`)
    assert.deepEqual(asked, [['GET /1'], ['POST /2'], ['DELETE /3']])
  })

  it('is asked again anew when the kept one was gone', async (t) => {
    const { url, asked } = await site(t, (nth) => (nth === 1 ? whole('x') : undefined))
    for (const path of ['/1', '/2', '/3']) assert.equal(await ask(`${url}${path}`), 'x')
    assert.deepEqual(asked, [['GET /1', 'GET /2'], ['GET /2'], ['GET /3']])
  })

  it('is not asked again when a new one breaks', async (t) => {
    const { url, asked } = await site(t, () => undefined)
    assert.match(await ask(`${url}/1`), /BTL_ERR_PROXY_BROKEN_ANSWER/)
    assert.deepEqual(asked, [['GET /1']])
  })

  it('is not kept where the site says so, ends it, or says more than it was asked', async (t) => {
    const closing = await site(t, () => whole('x', 'Connection: close\r\n'))
    const ending = await site(t, () => whole('x'))
    for (const { url, asked, sockets } of [closing, ending]) {
      await ask(`${url}/1`)
      for (const socket of sockets) socket.end()
      await until('the end', () => sockets.every((socket) => socket.destroyed))
      assert.equal(await ask(`${url}/2`), 'x')
      assert.deepEqual(asked, [['GET /1'], ['GET /2']])
    }
    const poison = whole('poison')
    const more = await site(t, (nth) => whole('x') + (nth === 1 ? poison : ''))
    assert.equal(await ask(`${more.url}/1`), 'x')
    assert.equal(await ask(`${more.url}/2`), 'x')
  })

  it('is let go of with the proxy', async (t) => {
    const other = await startHouse(t)
    const { url, sockets } = await site(t, () => whole('x'))
    await output('/usr/bin/curl', ['-sS', '-x', other.url, `${url}/1`])
    await other.proxy.stop()
    await until('the end', () => sockets.every((socket) => socket.destroyed))
  })
})
