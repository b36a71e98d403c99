import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { decode } from '../../../src/base/bencode.ts'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { TrackerConfig } from '../../../src/edges/tracker/config.ts'
import type { TrackerBox } from '../../../src/edges/tracker/deps.ts'
import { createTracker } from '../../../src/edges/tracker/index.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import {
  binary,
  hexOf,
  isAnnounce,
  isAnswer,
  isFailure,
  NO_BOX,
  offers,
  page,
  SDP,
  SOCKET_CONFIG,
} from './socket-harness.ts'

/** The whole tracker behind one server, as the API's port has it. */
async function room(
  t: Cleanup,
  { box, config }: { box?: Partial<TrackerBox>; config?: Partial<TrackerConfig> } = {},
): Promise<string> {
  const tracker = createTracker(
    {
      box: { ...NO_BOX, ...box },
      log: silentLog,
      clock: systemClock,
      statePath: await tempFolder(t, 'btl-tracker'),
    },
    { ...SOCKET_CONFIG, udp: false, ...config },
  )
  await tracker.start(new AbortController().signal)
  const server = createServer((req, res) => {
    if (!tracker.answer(req, res)) res.writeHead(404).end()
  })
  server.on('upgrade', (req, socket, head) => {
    if (!tracker.upgrade(req, socket, head)) socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  finallyDo(t, async () => {
    await tracker.stop()
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const escaped = (wire: string) =>
  Array.from(Buffer.from(wire, 'latin1'), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(
    '',
  )

test('one swarm counts browsers, peers of TCP and the box', async (t) => {
  const hash = binary()
  const host = await room(t, { box: { holds: () => 'whole', peerPort: () => 4000 } })
  const query = (port: number, left: number) =>
    `http://${host}/announce?info_hash=${escaped(hash)}&peer_id=${escaped(binary())}&port=${port}&uploaded=0&downloaded=0&left=${left}&compact=1`
  const counts = async (response: Response) => {
    const dict = decode(new Uint8Array(await response.arrayBuffer()))
    assert.ok(dict instanceof Map)
    return [dict.get('complete'), dict.get('incomplete')]
  }
  assert.deepEqual(await counts(await fetch(query(5000, 10))), [1, 1])
  const a = await page(t, `ws://${host}/announce`)
  a.announce(hash, { left: 0 })
  const reply = await a.next(isAnnounce)
  assert.deepEqual([reply['complete'], reply['incomplete']], [2, 1])
  a.say({ action: 'scrape', info_hash: hash })
  const counted = { complete: 2, incomplete: 1, downloaded: 0 }
  assert.deepEqual((await a.next())['files'], { [hash]: counted })
  assert.deepEqual(await counts(await fetch(query(5001, 0))), [3, 1])
})

test('browsers meet the box in its own torrents, and nobody in others', async (t) => {
  const own = binary()
  const host = await room(t, {
    box: {
      holds: (infoHash) => (infoHash === hexOf(own) ? 'part' : undefined),
      answerOffer: async () => ({ sdp: SDP, peerId: 'cd'.repeat(20) }),
    },
  })
  const a = await page(t, `ws://${host}/announce?key=1`)
  a.announce(own, { offers: offers(3) })
  await a.next(isAnswer)
  a.announce(binary(), { offers: offers(3) })
  assert.match(String((await a.next(isFailure))['failure reason']), /does not know/)
})

test('WebSockets are taken at /announce only, and nowhere while the tracker is off', async (t) => {
  const status = async (url: string) => {
    const ws = new WebSocket(url)
    ws.on('error', () => undefined)
    const [, res] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number }]
    ws.terminate()
    return res.statusCode
  }
  assert.equal(await status(`ws://${await room(t)}/other`), 404)
  const off = await room(t, { config: { enabled: false } })
  assert.equal(await status(`ws://${off}/announce`), 404)
})
