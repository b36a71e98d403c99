import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { createFakeWebRtcNet } from '../../fakes/web-rtc.ts'
import type { Cleanup } from '../../support/temp.ts'
import { type MadeTorrent, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { introduce, loopback, seedIn, startEngine, type TestEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = (ms = 20_000) => AbortSignal.timeout(ms)
const all = (made: MadeTorrent) => ({ start: 0, end: made.files[0]?.bytes.length ?? 0 })

async function verified({ engine }: TestEngine, made: MadeTorrent): Promise<number> {
  return (await engine.status(made.infoHash))?.verifiedBytes ?? 0
}

async function three(t: Cleanup, config: { bridge?: boolean } = {}) {
  const net = createFakeWebRtcNet()
  const webrtc = net.peer()
  const tcp = await startEngine(t)
  const box = await startEngine(t, config, { webrtc: net.peer() })
  // Not reachable but by its data channel.
  const browser = await startEngine(t, {}, { webrtc })
  return { tcp, box, browser, webrtc }
}

describe('the bridge between browsers and TCP peers', { timeout: 60_000 }, () => {
  it('gives on what a TCP peer has while the box is still fetching it', async (t) => {
    const made = makeTorrentOf(pattern(200 * PIECE))
    const { tcp, box, browser, webrtc } = await three(t)
    await seedIn(tcp, made)
    await box.engine.add(made.info, { hints: loopback(tcp.port) })
    await browser.engine.add(made.info)
    const wanting = browser.engine.want(made.infoHash, 0, all(made), 'now', signal())
    assert.ok(await introduce(webrtc, box.engine, made.infoHash))
    let overlapped = false
    const watching = until(
      'pieces given on before the last came',
      async () => {
        const [here, there] = [await verified(box, made), await verified(browser, made)]
        overlapped ||= there > 0 && here < 200 * PIECE
        return overlapped || there === 200 * PIECE
      },
      { everyMs: 2 },
    )
    await Promise.all([wanting, watching])
    assert.ok(overlapped)
    assert.equal((await tcp.engine.peers(made.infoHash)).length <= 1, true)
  })

  it('gives on to TCP peers what only a browser has', async (t) => {
    const made = makeTorrentOf(pattern(40 * PIECE))
    const { tcp, box, browser, webrtc } = await three(t)
    await seedIn(browser, made)
    await box.engine.add(made.info)
    await tcp.engine.add(made.info)
    assert.ok(await introduce(webrtc, box.engine, made.infoHash))
    await tcp.engine.add(made.info, { hints: loopback(box.port) })
    await tcp.engine.want(made.infoHash, 0, all(made), 'now', signal())
    assert.equal((await tcp.engine.status(made.infoHash))?.complete, true)
  })

  it('fetches nothing of a visited torrent where it is switched off', async (t) => {
    const made = makeTorrentOf(pattern(4 * PIECE))
    const { tcp, box, browser, webrtc } = await three(t, { bridge: false })
    await seedIn(tcp, made)
    await box.engine.add(made.info, { hints: loopback(tcp.port) })
    await browser.engine.add(made.info)
    const wanting = browser.engine.want(made.infoHash, 0, all(made), 'now', signal(2500))
    assert.ok(await introduce(webrtc, box.engine, made.infoHash))
    await assert.rejects(wanting)
    assert.equal(await verified(box, made), 0)
  })

  it('fetches what it keeps for anybody who asks', async (t) => {
    const made = makeTorrentOf(pattern(8 * PIECE))
    const { tcp, box, browser, webrtc } = await three(t, { bridge: false })
    await seedIn(tcp, made)
    await box.engine.add(made.info, { hints: loopback(tcp.port) })
    await box.engine.seed(made.infoHash)
    await browser.engine.add(made.info)
    const wanting = browser.engine.want(made.infoHash, 0, all(made), 'now', signal())
    assert.ok(await introduce(webrtc, box.engine, made.infoHash))
    await wanting
  })

  it('stops when the browser leaves', async (t) => {
    const made = makeTorrentOf(pattern(400 * PIECE))
    const net = createFakeWebRtcNet()
    const webrtc = net.peer()
    const tcp = await startEngine(t, { upload_limit: 400_000, lan_exempt: false })
    const box = await startEngine(t, {}, { webrtc: net.peer() })
    const browser = await startEngine(t, {}, { webrtc })
    await seedIn(tcp, made)
    await browser.engine.add(made.info)
    await box.engine.add(made.info, { hints: loopback(tcp.port) })
    const wanting = browser.engine.want(made.infoHash, 0, all(made), 'now', signal())
    assert.ok(await introduce(webrtc, box.engine, made.infoHash))
    await until('some pieces', async () => (await verified(box, made)) > 0)
    const cut = assert.rejects(wanting)
    await browser.engine.stop()
    await cut
    // One look of the box, and what was on its way.
    await sleep(2500)
    const left = await verified(box, made)
    assert.ok(left < 400 * PIECE)
    await sleep(1000)
    assert.equal(await verified(box, made), left)
  })
})
