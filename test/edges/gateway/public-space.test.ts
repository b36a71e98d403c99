/** Pages must not reach the devices of the house: which answers say so to Chromium. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { markProxied } from '../../../src/edges/http/index.ts'
import { curl } from '../../support/curl.ts'
import { finallyDo } from '../../support/temp.ts'
import { startGateway } from './fixture.ts'

const PATHS = [
  ['/a.html', 200],
  ['/big.bin', 200],
  ['/folder/', 200],
  ['/missing', 404],
  ['/.btlink/info.json', 200],
  ['/.btlink/site.torrent', 200],
  ['/?format=tar', 200],
  ['/a.html?btlink-src-only', 200],
] as const

describe('the policy that keeps pages out of the house', () => {
  it('is in every answer through the proxy, and in none over plain http without it', async (t) => {
    const fixture = await startGateway(t)
    const files = { 'a.html': '<p>a', 'folder/b.txt': 'b', 'big.bin': Buffer.alloc(400_000, 'x') }
    const { infoHash } = await fixture.add(files)
    const host = `${infoHash}-ih.btlink`
    // What comes over this port is the inside of a CONNECT.
    const tunnel = createServer((socket) => {
      markProxied(socket)
      fixture.gateway.server.emit('connection', socket)
    })
    await new Promise<void>((ready) => void tunnel.listen(0, '127.0.0.1', ready))
    finallyDo(t, () => void tunnel.close())
    const direct = `http://127.0.0.1:${fixture.port}`
    const inside = `http://127.0.0.1:${(tunnel.address() as AddressInfo).port}`
    const policy = 'treat-as-public-address'

    for (const [path, status] of PATHS) {
      // Twice, as the second time it may come ready from memory, whoever asked first.
      for (const round of [1, 2]) {
        const plain = await curl(direct + path, { host })
        const proxied = await curl(`http://${host}${path}`, { more: ['-x', direct] })
        const tunnelled = await curl(inside + path, { host })
        const what = `${path}, round ${round}`
        assert.deepEqual(
          [plain.status, proxied.status, tunnelled.status],
          Array(3).fill(status),
          what,
        )
        assert.notEqual(plain.headers['content-security-policy'], policy, what)
        assert.equal(proxied.headers['content-security-policy'], policy, what)
        assert.equal(tunnelled.headers['content-security-policy'], policy, what)
      }
    }
  })

  it('leaves the policy of the answer itself beside it', async (t) => {
    const fixture = await startGateway(t)
    const { infoHash } = await fixture.add({ 'a.html': '<p>a' })
    const url = `http://${infoHash}-ih.btlink/a.html?btlink-src-only`
    const raw = await fixture.raw(`GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    const policies = raw.split('\r\n').filter((line) => line.startsWith('Content-Security-Policy'))
    assert.equal(policies.length, 2)
  })
})
