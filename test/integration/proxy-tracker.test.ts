import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type Answer, Client } from 'bittorrent-tracker'
import { WebSocket } from 'ws'
import { curl } from '../support/curl.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { publish, SITE } from '../support/neighbours.ts'
import { missing } from '../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../support/temp.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }

describe('the tracker of a box', { skip: missing('/usr/bin/curl') }, async () => {
  const box = await createTestDaemon(all, {
    config: { btlink: { gateway_domains: ['gw.example'] }, dns: { enabled: false } },
  })
  const folder = join(await tempFolder(all, 'site'), 'site')
  await writeSite(folder, SITE)
  const { infoHash, host: site } = await publish(box, folder, 'home')
  const root = await curl(`http://127.0.0.1:${box.port('http')}/.btlink/rootca.pem`)
  const ca = root.text()
  /** As a device that has the box's DNS and its root certificate. */
  const agent = new Agent({
    ca,
    lookup: (_host, options, give) => {
      if (options.all === true) give(null, [{ address: '127.0.0.1', family: 4 }])
      else give(null, '127.0.0.1', 4)
    },
  })

  /** What the other side says to a WebSocket: 101 where it takes it. */
  async function upgraded(t: Cleanup, url: string, host?: string): Promise<number> {
    const socket = new WebSocket(url, {
      ...(url.startsWith('wss:') && { agent }),
      ...(host !== undefined && { headers: { Host: host } }),
    })
    finallyDo(t, () => socket.terminate())
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    socket.on('open', () => resolve(101))
    socket.on('unexpected-response', (_req, res) => {
      resolve(res.statusCode ?? 0)
      res.destroy()
    })
    socket.on('error', reject)
    return promise
  }

  it('introduces a WebTorrent client over wss at the https port, where the site is', async (t) => {
    const client = new Client({
      infoHash,
      peerId: randomBytes(20),
      announce: [`wss://btlink:${box.port('https')}/announce`],
      port: 6881,
      getAnnounceOpts: () => ({ uploaded: 0, downloaded: 0, left: 1, numwant: 0 }),
      proxyOpts: { httpsAgent: agent },
    })
    finallyDo(t, () => client.destroy())
    client.on('error', (error) => assert.fail(error))
    const told = once(client, 'update') as Promise<[Answer]>
    client.start()
    const [answer] = await told
    // The box itself has the site, whole.
    assert.deepEqual([answer.infoHash, answer.complete], [infoHash, 1])
  })

  it('answers at every name of the box and at its address, over ws and wss', async (t) => {
    const port = (listener: string) => box.port(listener)
    const names = ['btlink', 'setup.btlink', 'localhost', 'gw.example', '127.0.0.1', '[::1]']
    for (const name of names) {
      const url = `ws://127.0.0.1:${port('http')}/announce`
      assert.equal(await upgraded(t, url, `${name}:${port('http')}`), 101, name)
    }
    for (const name of ['btlink', 'setup.btlink']) {
      assert.equal(await upgraded(t, `wss://${name}:${port('https')}/announce`), 101, name)
    }
  })

  it('C33 is no part of sites, foreign hosts and other paths: 400, and no hanging', async (t) => {
    const port = (listener: string) => box.port(listener)
    for (const host of [site, `${infoHash}-ih.btlink`, 'evil.example', 'btlink.evil.example']) {
      const url = `ws://127.0.0.1:${port('http')}/announce`
      assert.equal(await upgraded(t, url, host), 400, host)
    }
    assert.equal(await upgraded(t, `wss://${site}:${port('https')}/announce`), 400)
    assert.equal(await upgraded(t, `wss://btlink:${port('https')}/other`), 400)
  })

  it('stands in magnets as wss only for those who read them over https', async () => {
    const told = async (scheme: string) => {
      const to = ['--connect-to', `::127.0.0.1:${box.port(scheme)}`, '-k']
      const info = await curl(`${scheme}://${site}/.btlink/info.json`, { more: to })
      const { magnet } = info.json() as { magnet: string }
      return new URLSearchParams(magnet.slice('magnet:?'.length)).getAll('tr')
    }
    const secure = `wss://btlink:${box.port('https')}/announce`
    assert.ok((await told('https')).includes(secure))
    const plain = await told('http')
    assert.ok(
      plain.length > 0 && plain.every((tracker) => !tracker.startsWith('wss:')),
      plain.join(),
    )
  })
})
