import assert from 'node:assert/strict'
import { readdir, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { fromHex } from '../../../src/base/bytes.ts'
import { codeOf } from '../../../src/base/errors.ts'
import { torrentFilePath, torrentFolder } from '../../../src/base/layout.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { loadSeedMark } from '../../../src/engines/torrent/seeds/seed-mark.ts'
import { encodeHandshake } from '../../../src/engines/torrent/wire/wire-reader.ts'
import { libtorrentLeech } from '../../support/libtorrent.ts'
import { leaveSleeping } from '../../support/sleeping-seeds.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { layDown, makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { introduce, loopback, seedIn, startEngine, type TestEngine } from './support.ts'
import { createFakeWebRtcNet } from '../../fakes/web-rtc.ts'

const PIECE = 32 * 1024
const signal = () => AbortSignal.timeout(20_000)
const whole = (length: number) => ({ start: 0, end: length })

const inMemory = async ({ engine }: TestEngine) => (await engine.listening()).stats['awake']
const asleep = async (box: TestEngine) =>
  until('everything to sleep', async () => (await inMemory(box)) === 0)
const known = async ({ engine }: TestEngine, count: number) =>
  until('the seeds to be known', async () => (await engine.torrents()).length === count)

/** An engine that finds `made` as a seed of an earlier run. */
async function boxWith(
  t: Cleanup,
  made: MadeTorrent[],
  overrides: Parameters<typeof startEngine>[1] = {},
  options: Parameters<typeof startEngine>[2] = {},
): Promise<TestEngine> {
  const state = await tempFolder(t)
  const layout = { blobs: join(state, 'blobs'), torrents: join(state, 'torrents') }
  for (const one of made) await leaveSleeping(layout, one)
  const box = await startEngine(t, { grace: 300, ...overrides }, { ...options, state })
  await known(box, made.length)
  return box
}

/** Resolves to what happened to a caller that names the torrent: it was answered or sent away. */
async function call(port: number, made: MadeTorrent, index = 0): Promise<'answered' | 'closed'> {
  const socket = connect(port, '127.0.0.1')
  const id = Buffer.from(`-XX0000-${String(index).padStart(12, '0')}`)
  return new Promise((resolve) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      resolve('answered')
      socket.destroy()
    })
    socket.once('close', () => resolve('closed'))
    socket.write(encodeHandshake(fromHex(made.infoHash), id))
  })
}

describe('a seed that nobody asks for', () => {
  it('is woken by a libtorrent peer after a restart, sleeps again, and keeps count', async (t) => {
    const content = pattern(20 * PIECE)
    const made = makeTorrentOf(content, { name: 'film' })
    const state = await tempFolder(t)
    const first = await startEngine(t, {}, { state })
    await seedIn(first, made)
    await first.engine.stop()

    const box = await startEngine(t, { grace: 300 }, { state })
    await known(box, 1)
    assert.equal(await inMemory(box), 0)
    const status = await box.engine.status(made.infoHash)
    assert.deepEqual(
      [status?.complete, status?.seeding, status?.verifiedBytes, status?.peers],
      [true, true, content.length, 0],
    )
    assert.deepEqual(await box.engine.peers(made.infoHash), [])
    const folder = await tempFolder(t)
    await writeFile(join(folder, 'film.torrent'), made.torrentFile)
    const leecher = await libtorrentLeech(t, join(folder, 'film.torrent'), folder, {
      peers: [`127.0.0.1:${box.port}`],
    })
    await leecher.event('finished')
    await leecher.stop()
    await asleep(box)
    const given = (await box.engine.status(made.infoHash))?.uploadedBytes ?? 0
    assert.ok(given >= content.length, `${given}`)
    await box.engine.stop()

    const third = await startEngine(t, {}, { state })
    await known(third, 1)
    assert.equal((await third.engine.status(made.infoHash))?.uploadedBytes, given)
  })

  it('sleeps soon after it was published, without a file left open', async (t) => {
    const made = makeTorrentOf(pattern(4 * PIECE))
    const box = await startEngine(t, { grace: 200 })
    await seedIn(box, made)
    const other = await startEngine(t)
    await other.engine.add(made.info, { hints: loopback(box.port) })
    await other.engine.want(made.infoHash, 0, whole(4 * PIECE), 'now', signal())
    await other.engine.stop()
    await asleep(box)
    const folder = torrentFolder(box.layout, made.infoHash)
    await until('its files to be closed', async () => {
      const descriptors = await readdir('/proc/self/fd')
      const paths = descriptors.map(async (fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
      return !(await Promise.all(paths)).some((path) => path.startsWith(folder))
    })
  })

  it('wakes for readers and for those who ask for its info dict', async (t) => {
    const content = pattern(3 * PIECE)
    const made = makeTorrentOf(content)
    const box = await boxWith(t, [made])
    const info = await box.engine.metainfo(made.infoHash, {}, signal())
    assert.deepEqual(Buffer.from(info), Buffer.from(made.info))
    await asleep(box)
    await box.engine.want(made.infoHash, 0, whole(content.length), 'now', signal())
    for await (const ranges of box.engine.verified(made.infoHash, 0, signal())) {
      assert.deepEqual(ranges, [whole(content.length)])
      break
    }
    await asleep(box)
    await assert.rejects(
      box.engine.want(made.infoHash, 1, whole(1), 'now', signal()),
      (error) => codeOf(error) === 'BTL_ERR_TORRENT_BAD_FILE',
    )
  })

  it('stays awake while somebody watches its pieces', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const box = await boxWith(t, [made])
    const ended = new AbortController()
    let batches = 0
    const watching = (async () => {
      for await (const _ of box.engine.verified(made.infoHash, 0, ended.signal)) batches++
    })()
    await until('the first batch', () => batches === 1)
    await new Promise((resolve) => {
      setTimeout(resolve, 2500)
    })
    assert.equal(await inMemory(box), 1)
    ended.abort()
    await watching
    await asleep(box)
  })

  it('wakes for a browser', async (t) => {
    const net = createFakeWebRtcNet()
    const made = makeTorrentOf(pattern(PIECE))
    const box = await boxWith(t, [made], { grace: 5000 }, { webrtc: net.peer() })
    assert.equal(await introduce(net.peer(), box.engine, made.infoHash), true)
    assert.equal(await inMemory(box), 1)
  })

  it('does not wake when it is added and seeded as before', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const box = await boxWith(t, [made])
    assert.equal(await box.engine.add(made.info, { verified: true }), made.infoHash)
    await box.engine.seed(made.infoHash)
    assert.equal(await inMemory(box), 0)
    await box.engine.seed(made.infoHash, { own: true, announceDht: false })
    const mark = await loadSeedMark(box.layout, made.infoHash)
    assert.deepEqual([mark?.own, mark?.announceDht], [true, false])
    await box.engine.seed(made.infoHash, { announceDht: false })
    assert.equal((await loadSeedMark(box.layout, made.infoHash))?.own, true)
    await asleep(box)
  })

  it('is hashed again when its file changed meanwhile', async (t) => {
    const content = pattern(6 * PIECE)
    const made = makeTorrentOf(content)
    const box = await boxWith(t, [made])
    const spoiled = Buffer.from(content)
    spoiled[2 * PIECE + 1] = (spoiled[2 * PIECE + 1] ?? 0) ^ 1
    const path = torrentFilePath(box.layout, made.infoHash, 0)
    await writeFile(path, spoiled)
    const later = new Date(Date.now() + 60_000)
    await utimes(path, later, later)
    assert.equal(await call(box.port, made), 'answered')
    await until('the check', async () => {
      const status = await box.engine.status(made.infoHash)
      return status?.verifiedBytes === 5 * PIECE
    })
    await until('the note that it is not whole', async () => {
      const mark = await loadSeedMark(box.layout, made.infoHash)
      return mark?.wholeBytes === undefined
    })
    const good = await startEngine(t)
    await seedIn(good, made)
    await box.engine.add(made.info, { hints: loopback(good.port) })
    await box.engine.want(made.infoHash, 0, whole(content.length), 'now', signal())
    await until('the note that it is whole', async () => {
      const mark = await loadSeedMark(box.layout, made.infoHash)
      return mark?.wholeBytes === content.length
    })
  })

  it('whose file is gone says so once, and counts as whole no longer', async (t) => {
    const said: string[] = []
    const log = {
      ...silentLog,
      warn: (_fields: object, message: string) => void said.push(message),
    }
    const made = makeTorrentOf(pattern(6 * PIECE))
    const box = await boxWith(t, [made], {}, { log })
    const count = async () => (await box.engine.listening()).stats['whole']
    assert.equal(await count(), 1)
    await rm(torrentFilePath(box.layout, made.infoHash, 0))
    assert.equal(await call(box.port, made), 'answered')
    await until('the check', async () => (await count()) === 0)
    assert.deepEqual(said, ['files of a seed were changed or deleted: it is whole no longer'])
  })

  it('is dropped like any other, with its data where that is asked for', async (t) => {
    const [one, two] = [makeTorrentOf(pattern(PIECE)), makeTorrentOf(pattern(PIECE, 2))]
    const box = await boxWith(t, [one, two])
    await box.engine.drop(one.infoHash)
    await box.engine.drop(two.infoHash, { removeData: true })
    assert.deepEqual(await box.engine.torrents(), [])
    assert.equal((await stat(torrentFilePath(box.layout, one.infoHash, 0))).size, PIECE)
    await assert.rejects(
      stat(torrentFolder(box.layout, two.infoHash)),
      (error) => codeOf(error) === 'ENOENT',
    )
    assert.equal(await call(box.port, one), 'closed')
    assert.equal(await loadSeedMark(box.layout, one.infoHash), undefined)
  })

  it('is taken up from the notes of earlier versions', async (t) => {
    const made = makeTorrentOf(pattern(3 * PIECE))
    const state = await tempFolder(t)
    const torrents = join(state, 'torrents')
    await layDown(torrents, made)
    const old = encode({ dht: 0, peers: ['192.0.2.1|6881', 'x'], trackers: [], webseeds: [] })
    await writeFile(join(torrents, made.infoHash, 'seed'), old)
    const box = await startEngine(t, { grace: 200 }, { state })
    await until('the check', async () => {
      const status = await box.engine.status(made.infoHash)
      return status?.complete === true
    })
    await asleep(box)
    const mark = await loadSeedMark(box.layout, made.infoHash)
    assert.deepEqual(
      [mark?.wholeBytes, mark?.announceDht, mark?.hints.peers],
      [3 * PIECE, false, [{ host: '192.0.2.1', port: 6881 }]],
    )
  })

  it('leaves whatever its folder holds when the info dict is gone', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const box = await boxWith(t, [made])
    await writeFile(join(torrentFolder(box.layout, made.infoHash), 'info'), 'de')
    assert.equal(await call(box.port, made), 'closed')
    assert.equal(await inMemory(box), 0)
  })
})

describe('many seeds', () => {
  const seeds = (count: number) =>
    Array.from({ length: count }, (_, seed) => makeTorrentOf(pattern(200, seed + 1)))

  it('make room for one that is asked for, those first that nobody asked for the longest', async (t) => {
    const made = seeds(4)
    const box = await boxWith(t, made, { max_active: 2, grace: 60_000 })
    for (const one of made) assert.equal(await call(box.port, one), 'answered')
    await until('room', async () => (await box.engine.listening()).stats['active'] === 2)
    for (const one of made.toReversed()) assert.equal(await call(box.port, one), 'answered')
  })

  it('are answered for whoever of the house names thousands of them, and sleep again', async (t) => {
    const made = seeds(1200)
    const box = await boxWith(t, made, { lan_exempt: true, grace: 60_000 })
    let most = 0
    let answered = 0
    const left = made.entries()
    const caller = async () => {
      for (const [index, one] of left) {
        if ((await call(box.port, one, index)) === 'answered') answered++
        const stats = (await box.engine.listening()).stats
        most = Math.max(most, Number(stats['awake']))
      }
    }
    await Promise.all(Array.from({ length: 20 }, caller))
    assert.ok(answered > 1150, `${answered}`)
    await until(
      'most to sleep again',
      async () => Number((await box.engine.listening()).stats['awake']) <= 110,
      { timeoutMs: 15_000 },
    )
    assert.equal((await box.engine.torrents()).length, 1200)
  })

  it('do not keep the engine from stopping while they wake', async (t) => {
    const made = seeds(100)
    const box = await boxWith(t, made, { lan_exempt: true })
    const calls = made.map(async (one, index) => call(box.port, one, index))
    await calls[0]
    await box.engine.stop()
    await Promise.all(calls)
    assert.equal(await inMemory(box), 0)
    await box.engine.start(new AbortController().signal)
    await known(box, 100)
  })

  it('are not woken by a stranger who names one after the other', async (t) => {
    const made = seeds(60)
    const box = await boxWith(t, made, { lan_exempt: false, grace: 60_000 })
    const outcomes = await Promise.all(made.map(async (one, index) => call(box.port, one, index)))
    const answered = outcomes.filter((outcome) => outcome === 'answered').length
    assert.ok(answered >= 20 && answered <= 25, `${answered}`)
    assert.equal(await inMemory(box), answered)
  })
})

describe('a caller', () => {
  it('that names nothing of ours, or speaks another language, costs no torrent', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const box = await boxWith(t, [made])
    assert.equal(await call(box.port, makeTorrentOf(pattern(77))), 'closed')
    for (const noise of [
      'GET / HTTP/1.1\r\nHost: a-box-in-the-house.local\r\n\r\n',
      '\x13BitTorrent'.padEnd(90, 'x'),
    ]) {
      const socket = connect(box.port, '127.0.0.1')
      finallyDo(t, () => void socket.destroy())
      socket.on('error', () => {})
      socket.resume()
      socket.write(noise)
      await until('the end', () => socket.closed)
    }
    assert.equal(await inMemory(box), 0)
  })

  it('may send its handshake in pieces and its messages at once', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const box = await boxWith(t, [made], { grace: 20_000 })
    const socket = connect(box.port, '127.0.0.1')
    finallyDo(t, () => void socket.destroy())
    let got = 0
    socket.on('data', (bytes) => {
      got += bytes.length
    })
    const handshake = encodeHandshake(fromHex(made.infoHash), Buffer.from('-XX0000-in-pieces-00'))
    const interested = Buffer.from([0, 0, 0, 1, 2])
    for (const byte of handshake) {
      socket.write(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    socket.write(interested)
    await until('an answer', () => got > 68)
    const [peer] = await box.engine.peers(made.infoHash)
    assert.equal(peer?.source, 'incoming')
  })
})
