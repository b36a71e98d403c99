/** Engines for tests: on loopback, without multicast, in folders of their own. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { Value } from 'typebox/value'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { fromHex } from '../../../src/base/bytes.ts'
import type { DhtNode } from '../../../src/base/ports/dht-node.ts'
import { type Log, silentLog } from '../../../src/base/ports/log.ts'
import type { TorrentEngine } from '../../../src/base/ports/torrent-engine.ts'
import type { WebRtc } from '../../../src/base/ports/web-rtc.ts'
import type { StoreLayout } from '../../../src/base/layout.ts'
import { type InfoHash, target } from '../../../src/base/hashes.ts'
import { createTorrentEngine, type SwarmConfig } from '../../../src/engines/torrent/index.ts'
import { swarmConfigSchema } from '../../../src/engines/torrent/config.ts'
import { createFakeWebRtcNet } from '../../fakes/web-rtc.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { layDown, type MadeTorrent } from '../../support/torrents.ts'

const defaults = Value.Create(swarmConfigSchema)

export const localConfig = (overrides: Partial<SwarmConfig> = {}): SwarmConfig => ({
  ...defaults,
  announce_interval: 900_000,
  port: 0,
  lsd: false,
  allow_local: true,
  // Every peer of these tests is one of the own network.
  lan_exempt: false,
  ...overrides,
})

export type TestDht = Pick<DhtNode, 'peers' | 'announce'>

/** Nobody knows anything. */
export const emptyDht: TestDht = {
  async *peers() {},
  announce: async () => ({ target: target('0'.repeat(40)), asked: 0, stored: 0, errors: {} }),
}

export interface TestEngine {
  engine: TorrentEngine
  layout: StoreLayout
  port: number
}

export async function startEngine(
  t: Cleanup,
  overrides: Partial<SwarmConfig> = {},
  options: { dht?: TestDht; webrtc?: WebRtc; state?: string; log?: Log } = {},
): Promise<TestEngine> {
  const state = options.state ?? (await tempFolder(t))
  const layout = { blobs: join(state, 'blobs'), torrents: join(state, 'torrents') }
  const engine = createTorrentEngine(
    {
      dht: options.dht ?? emptyDht,
      webrtc: options.webrtc ?? createFakeWebRtcNet().peer(),
      layout,
      log: options.log ?? silentLog,
      clock: systemClock,
    },
    localConfig(overrides),
  )
  finallyDo(t, () => engine.stop())
  await engine.start(new AbortController().signal)
  const { port } = await engine.listening()
  return { engine, layout, port }
}

export const loopback = (port: number) => ({ peers: [{ host: '127.0.0.1', port }] })

export async function seedIn(box: TestEngine, made: MadeTorrent): Promise<void> {
  await layDown(box.layout.torrents, made)
  await box.engine.add(made.info, { verified: true })
  await box.engine.seed(made.infoHash)
}

/** What a tracker does between a browser and the box; false where the box declines. */
export async function introduce(
  browser: WebRtc,
  engine: TorrentEngine,
  infoHash: InfoHash,
  peerId = randomBytes(20).toString('hex'),
): Promise<boolean> {
  const [offer] = await browser.offer(infoHash, 1)
  assert.ok(offer)
  const answer = await engine.answerOffer(
    infoHash,
    { sdp: offer.sdp, peerId },
    AbortSignal.timeout(15_000),
  )
  if (answer) await browser.accept(offer.offerId, answer)
  return answer !== undefined
}

/** A browser's, without the fast extension. */
export const handshakeOf = (infoHash: string) =>
  Buffer.concat([
    Buffer.from('\u0013BitTorrent protocol'),
    Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0]),
    fromHex(infoHash),
    Buffer.from('-WW0001-'.padEnd(20, 'x')),
  ])

/** Writes until the other end is gone; how many bytes it took. */
export async function flood(stream: Duplex, atMost: number): Promise<number> {
  const junk = Buffer.alloc(64 * 1024)
  let taken = 0
  while (taken < atMost && !stream.destroyed) {
    const gone = await new Promise<boolean>((resolve) => {
      stream.once('close', () => resolve(true))
      stream.write(junk, (error) => resolve(error != null))
    })
    if (gone) break
    taken += junk.length
  }
  return taken
}
