import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { createChallenges } from '../../../src/engines/acme/challenges.ts'
import { curl } from '../../support/curl.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'

const PATH = '/.well-known/acme-challenge'

async function openDoor(t: Cleanup) {
  const challenges = createChallenges()
  const server = createServer((req, res) => {
    if (!challenges.answer(req, res)) res.writeHead(404).end('the site')
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => void server.close())
  const { port } = server.address() as AddressInfo
  const ask = (path: string, host: string, more: Parameters<typeof curl>[1] = {}) =>
    curl(`http://127.0.0.1:${port}${path}`, { host, ...more })
  return { challenges, ask }
}

describe('the answer over HTTP', () => {
  it('is the bare text, under the host that is proved, while it is proved', async (t) => {
    const { challenges, ask } = await openDoor(t)
    assert.equal((await ask(`${PATH}/tok`, 'gw.example')).text(), 'the site')
    const close = challenges.openHttp('tok', 'gw.example', 'tok.thumb')
    for (const host of ['gw.example', 'GW.Example:80', 'gw.example.']) {
      const answer = await ask(`${PATH}/tok`, host)
      assert.equal(answer.status, 200)
      assert.equal(answer.text(), 'tok.thumb')
      assert.equal(answer.headers['content-type'], 'application/octet-stream')
      assert.equal(answer.headers['cache-control'], 'no-store')
    }
    const head = await ask(`${PATH}/tok`, 'gw.example', { method: 'HEAD' })
    assert.equal(head.headers['content-length'], '9')
    close()
    assert.equal((await ask(`${PATH}/tok`, 'gw.example')).text(), 'the site')
    assert.equal(challenges.stats().answered, 4)
  })

  it('leaves every other request to the site', async (t) => {
    const { challenges, ask } = await openDoor(t)
    challenges.openHttp('tok', 'gw.example', 'tok.thumb')
    for (const [path, host, more] of [
      [`${PATH}/tok`, 'other.example', {}],
      [`${PATH}/tok`, 'gw.example.evil.example', {}],
      [`${PATH}/tok`, 'gw.example', { method: 'POST' }],
      [`${PATH}/tok?x`, 'gw.example', {}],
      [`${PATH}/tok/`, 'gw.example', {}],
      [`${PATH}/TOK`, 'gw.example', {}],
      [`${PATH}/`, 'gw.example', {}],
      [`${PATH}//tok`, 'gw.example', {}],
      [`/x${PATH}/tok`, 'gw.example', {}],
      [`${PATH}/../acme-challenge/tok`, 'gw.example', {}],
      [`${PATH}/%74ok`, 'gw.example', {}],
    ] as const) {
      assert.equal((await ask(path, host, more)).text(), 'the site', `${host} ${path}`)
    }
  })

  it('is given for no path that does not name its token', () => {
    const challenges = createChallenges()
    challenges.openHttp('tok', 'gw.example', 'tok.thumb')
    const part = fc.oneof(fc.string(), fc.constantFrom('/', PATH, 'tok', 'http://gw.example'))
    const path = fc.array(part, { maxLength: 5 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(path, (url) => {
        const req = { method: 'GET', url, headers: { host: 'gw.example' } } as IncomingMessage
        const res = new ServerResponse(Object.assign(req, { socket: new Socket() }))
        const isAnswered = challenges.answer(req, res)
        assert.equal(
          isAnswered,
          /^(?:http:\/\/[^/?#]*)?\/\.well-known\/acme-challenge\/tok$/.test(url),
        )
      }),
    )
  })
})
