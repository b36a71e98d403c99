import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { WebRtc } from '../../../src/base/ports/web-rtc.ts'
import { connectPair, HASH, PEER_A, readBytes } from '../../compliance/web-rtc.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { remoteRoom } from './remote-room.ts'
import { CHROMIUM_OFFER } from './sdp-samples.ts'
import { startWebRtc } from './support.ts'

const stat = (room: WebRtc, name: string): number => room.stats()[name] ?? Number.NaN

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const OFFER = { sdp: CHROMIUM_OFFER.replace(/a=candidate.*\r\n/, ''), peerId: PEER_A }

/** A program in place of the child. */
async function program(t: Cleanup, text: string): Promise<URL> {
  const file = join(await tempFolder(t, 'child'), 'child.mjs')
  await writeFile(file, text)
  return pathToFileURL(file)
}

describe('the child process', () => {
  it('is not there before the first call, nor for junk', async (t) => {
    const room = await startWebRtc(t)
    await assert.rejects(room.answer(HASH, { sdp: 'v=0\r\njunk', peerId: PEER_A }), {
      code: 'BTL_ERR_WEBRTC_BAD_SDP',
    })
    await room.accept('00'.repeat(20), OFFER)
    assert.equal(stat(room, 'child_starts'), 0)
    await room.offer(HASH, 1)
    assert.ok(isAlive(stat(room, 'child_pid')))
  })

  it('is ended by stop, and can be started again', async (t) => {
    const room = await startWebRtc(t)
    await room.offer(HASH, 1)
    const pid = stat(room, 'child_pid')
    await room.stop()
    assert.equal(isAlive(pid), false)
    assert.equal(stat(room, 'connections'), 0)
    await room.start(new AbortController().signal)
    assert.equal((await room.offer(HASH, 1)).length, 1)
  })

  it('is ended when nobody has needed it for a while, and starts again', async (t) => {
    const room = await startWebRtc(t, { config: { idle_time: 100 } })
    await room.offer(HASH, 1)
    const pid = stat(room, 'child_pid')
    room.close(HASH)
    await until('the child is gone', () => !isAlive(pid))
    assert.equal((await room.offer(HASH, 1)).length, 1)
    assert.equal(stat(room, 'child_starts'), 2)
    assert.equal(stat(room, 'child_deaths'), 0)
  })

  it('takes its channels with it when it is killed, and the next answer works', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    const [here] = await connectPair(a, b)
    const pending = await a.offer(HASH, 1)
    here.stream.resume()
    const closed = once(here.stream, 'close')
    process.kill(stat(a, 'child_pid'), 'SIGKILL')
    await closed
    await until('the offer is forgotten', () => stat(a, 'offers_pending') === 0)
    for (const { offerId } of pending) await a.accept(offerId, OFFER)
    const [again, there] = await connectPair(b, a)
    again.stream.write('still here')
    assert.equal(String(await readBytes(there.stream, 10)), 'still here')
    assert.equal(stat(a, 'child_deaths'), 1)
    assert.equal((await a.health()).status, 'ok')
  })

  it('leaves nobody waiting when it is killed while it is asked', async (t) => {
    const room = await startWebRtc(t)
    await room.offer(HASH, 1)
    process.kill(stat(room, 'child_pid'), 'SIGSTOP')
    const answer = room.answer(HASH, OFFER)
    process.kill(stat(room, 'child_pid'), 'SIGKILL')
    await assert.rejects(answer, { code: 'BTL_ERR_WEBRTC_ENDED', message: /SIGKILL/ })
  })

  it('that cannot start makes calls fail, and is tried again with growing pauses', async (t) => {
    const childEntry = await program(t, 'process.exit(3)')
    const room = await startWebRtc(t, { deps: { childEntry } })
    const ended = { code: 'BTL_ERR_WEBRTC_ENDED' }
    await assert.rejects(room.answer(HASH, OFFER), { ...ended, message: /it ended with 3/ })
    assert.deepEqual(await room.offer(HASH, 3), [])
    await assert.rejects(room.answer(HASH, OFFER), { ...ended, message: /again in \d+ ms/ })
    assert.equal(stat(room, 'child_deaths'), 2)
    assert.equal(stat(room, 'connections'), 0)
    assert.equal((await room.health()).status, 'degraded')
  })

  it('that keeps dying is tried again soon, also where the clock is set back meanwhile', async (t) => {
    const childEntry = await program(t, 'process.exit(3)')
    const room = await startWebRtc(t, { deps: { childEntry } })
    await assert.rejects(room.answer(HASH, OFFER))
    await assert.rejects(room.answer(HASH, OFFER))
    const before = Date.now
    t.mock.method(Date, 'now', () => before() - 24 * 3600_000)
    await until('a third start', async () => {
      await room.offer(HASH, 1)
      return stat(room, 'child_starts') === 3
    })
  })

  it('that does not even exist makes calls fail', async (t) => {
    const childEntry = new URL('file:///nowhere/child.mjs')
    const room = await startWebRtc(t, { deps: { childEntry } })
    await assert.rejects(room.answer(HASH, OFFER), { code: 'BTL_ERR_WEBRTC_ENDED' })
  })

  it('that never gets ready is killed', async (t) => {
    const childEntry = await program(t, 'process.on("message", () => {})')
    const room = await startWebRtc(t, { deps: { childEntry }, limits: { startMs: 300 } })
    const answer = room.answer(HASH, OFFER)
    const pid = await until('a child', () => stat(room, 'child_pid') || undefined)
    await assert.rejects(answer, { code: 'BTL_ERR_WEBRTC_TIMEOUT' })
    await until('the child is gone', () => !isAlive(pid))
  })

  it('that does not answer is not waited for', async (t) => {
    const childEntry = await program(t, 'process.on("message", () => process.send({say:"ready"}))')
    const room = await startWebRtc(t, { deps: { childEntry }, limits: { askMs: 200, stopMs: 200 } })
    await assert.rejects(room.answer(HASH, OFFER), { code: 'BTL_ERR_WEBRTC_TIMEOUT' })
    assert.deepEqual(await room.offer(HASH, 2), [])
    assert.equal(stat(room, 'connections'), 0)
  })

  it('that talks nonsense is not believed', async (t) => {
    const childEntry = await program(
      t,
      `process.on('message', () => {
        for (const junk of [null, 1, 'x', [], {}, {say: 'sdp'}, {say: 'sdp', key: 'x', sdp: 'y'},
          {say: 'gone', key: 'a'.repeat(64), why: 'never was'}, {say: 'refused', key: 7}])
          process.send(junk)
        process.send({say: 'ready'})
      })`,
    )
    const room = await startWebRtc(t, { deps: { childEntry }, limits: { askMs: 200, stopMs: 200 } })
    await assert.rejects(room.answer(HASH, OFFER), { code: 'BTL_ERR_WEBRTC_TIMEOUT' })
  })

  it('is not waited for by who gave up, and by who stops', async (t) => {
    const childEntry = await program(t, 'process.on("message", () => {})')
    const room = await startWebRtc(t, { deps: { childEntry }, limits: { stopMs: 200 } })
    const leaving = new AbortController()
    const given = room.answer(HASH, OFFER, leaving.signal)
    const offers = room.offer(HASH, 2, leaving.signal)
    leaving.abort()
    await assert.rejects(given, { name: 'AbortError' })
    await assert.rejects(offers, { name: 'AbortError' })
    assert.equal(stat(room, 'connections'), 0)
    const stopped = assert.rejects(room.answer(HASH, OFFER), { code: 'BTL_ERR_WEBRTC_ENDED' })
    await room.stop()
    await stopped
  })

  it('gets no credentials to read', async (t) => {
    const file = join(await tempFolder(t), 'environment.json')
    const childEntry = await program(
      t,
      `import { writeFileSync } from 'node:fs'
       writeFileSync(${JSON.stringify(file)}, JSON.stringify(Object.keys(process.env)))`,
    )
    process.env['BTL_TEST_SECRET'] = 'x'
    const room = await startWebRtc(t, { deps: { childEntry } })
    await assert.rejects(room.answer(HASH, OFFER))
    delete process.env['BTL_TEST_SECRET']
    const { default: names } = (await import(file, { with: { type: 'json' } })) as {
      default: string[]
    }
    assert.deepEqual(
      names.filter((name) => !/^(PATH|MALLOC_ARENA_MAX|NODE_)/.test(name)),
      [],
    )
  })
})

describe('the child of a room that was killed', () => {
  it('ends by itself', async (t) => {
    const room = await remoteRoom(t, 'echo')
    await room.offer()
    const { child_pid: pid = 0 } = await room.stats()
    assert.ok(isAlive(pid))
    room.process.kill('SIGKILL')
    await until('the child is gone', () => !isAlive(pid))
  })
})
