import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { decode } from '../../src/base/bencode.ts'
import { curl } from '../support/curl.ts'
import { type Box, household, withoutNetns } from '../support/household.ts'
import { libtorrentLeech, libtorrentSeed, PYTHON } from '../support/libtorrent.ts'
import { writeSite } from '../support/daemon.ts'
import { publish } from '../support/neighbours.ts'
import { missing, output } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { layDownNamed, type Sample, sample } from '../support/torrent-clients/client.ts'
import { pattern } from '../support/torrents.ts'
import { REAL_CLIENTS } from '../support/torrent-clients/index.ts'
import {
  type Counts,
  escaped,
  type TrackerBox,
  trackerBox,
} from '../support/torrent-clients/swarm-box.ts'
import { until } from '../support/until.ts'

const programs = [PYTHON, ...REAL_CLIENTS.map(({ program }) => program)]
const skip = withoutNetns() || missing(...programs)

async function sameFiles(folder: string, made: Sample): Promise<void> {
  for (const { path, bytes } of made.files) {
    const got = await readFile(join(folder, made.name, ...path))
    assert.ok(got.equals(bytes), `${made.name}/${path.join('/')} is another`)
  }
}

// K07: each client has an address of its own and knows nobody but our tracker.
describe('the tracker with the clients people use', { skip, concurrency: 3 }, () => {
  const cleanups: (() => void | Promise<void>)[] = []
  const whole = { after: (fn: () => void | Promise<void>) => void cleanups.push(fn) }
  const boxes = new Map<string, Box>()
  let tracker: TrackerBox

  const boxOf = (name: string): Box => {
    const box = boxes.get(name)
    assert.ok(box)
    return box
  }
  const counted = (made: Sample, what: string, is: (counts: Counts) => boolean) =>
    until(
      `${made.name} to be counted: ${what}`,
      async () => {
        const counts = await tracker.scrape(made.infoHash)
        if (!is(counts)) throw new Error(JSON.stringify(counts))
        return true
      },
      { timeoutMs: 30_000, everyMs: 200 },
    )

  before(async () => {
    const names = ['box', 'seed', 'leech', ...REAL_CLIENTS.map((_, index) => `c${index}`)]
    for (const [index, box] of (await household(whole, ...names)).entries())
      boxes.set(names[index] ?? '', box)
    tracker = await trackerBox(whole, boxOf('box'))
  })
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })

  /** A site of the box; the torrent file is the one its gateway gives, and names no peer. */
  async function boxSite(folder: string, key: string, seed: number) {
    const site = { 'index.html': `of ${key}`, 'film.bin': pattern(600_000, seed) }
    await writeSite(join(folder, key), site)
    const { infoHash } = await publish(tracker.daemon, join(folder, key), key)
    const { status, body } = await tracker.daemon.get(
      `${infoHash}-ih.btlink`,
      '/.btlink/site.torrent',
    )
    assert.equal(status, 200)
    const file = join(folder, `${key}.torrent`)
    await writeFile(file, body)
    const check = async (saved: string) => {
      for (const [path, content] of Object.entries(site))
        assert.ok((await readFile(join(saved, key, path))).equals(Buffer.from(content)), path)
    }
    return { file, check }
  }

  // K09 and P01 with it: a third torrent comes from the box itself.
  for (const [index, client] of REAL_CLIENTS.entries()) {
    it(`counts ${client.name}, gives it peers and names it to others, over HTTP and UDP`, async (t) => {
      const base = await tempFolder(t, 'swarm')
      const torrents = await Promise.all(
        (['http', 'udp'] as const).map(async (kind, nth) =>
          sample(join(base, 'seed'), `${client.name} ${kind}`, [tracker[kind]], {
            seed: 10 * index + nth + 1,
          }),
        ),
      )
      const seeds = await Promise.all(
        torrents.map(async (made) => {
          await layDownNamed(join(base, 'seed'), made)
          const { netns, address: host } = boxOf('seed')
          // Slow enough to be seen as a leecher.
          const options = { netns, host, upLimit: 150_000 }
          return libtorrentSeed(t, made.file, join(base, 'seed'), options)
        }),
      )
      for (const made of torrents) await counted(made, 'its seeder', (is) => is.complete === 1)
      const site = await boxSite(base, `site${index}`, 77 + index)

      const folder = join(base, 'taken')
      await mkdir(folder)
      const files = [...torrents.map(({ file }) => file), site.file]
      const peer = await client.start(t, { torrents: files, folder, ...boxOf(`c${index}`) })
      await Promise.all(
        torrents.map((made) => counted(made, 'a leecher', (is) => is.incomplete === 1)),
      )
      await peer.done()
      await site.check(folder)
      for (const made of torrents) {
        await sameFiles(folder, made)
        await counted(made, 'two seeders', (is) => is.complete === 2 && is.incomplete === 0)
      }

      // Now it is the only one who has it.
      await Promise.all(seeds.map((seed) => seed.stop()))
      const { netns, address: host } = boxOf('leech')
      const given = join(base, 'given')
      await mkdir(given)
      await Promise.all(
        torrents.map(async (made) => {
          const leech = await libtorrentLeech(t, made.file, given, { netns, host })
          await leech.event('finished', undefined, 45_000)
          await sameFiles(given, made)
        }),
      )
      for (const made of torrents) await counted(made, 'three seeders', (is) => is.complete === 3)
      await peer.stop()
      if (client.silent === true) return
      // Transmission says so to one tracker of the two.
      await until('a tracker to know that it left', async () => {
        const counts = await Promise.all(torrents.map((made) => tracker.scrape(made.infoHash)))
        return counts.some(({ complete }) => complete === 2)
      })
    })
  }

  it('names IPv6 peers to IPv6 peers, over HTTP and UDP', async (t) => {
    const six = async (name: string, n: number): Promise<Box> => {
      const { netns } = boxOf(name)
      const address = `fd77::${n}`
      const add = ['-n', netns, '-6', 'addr', 'add', `${address}/64`, 'dev', 'eth0', 'nodad']
      await output('/usr/sbin/ip', add)
      return { netns, address }
    }
    const [house, from, to] = await Promise.all([six('box', 1), six('seed', 2), six('leech', 3)])
    const inside = (url: string) => url.replace(boxOf('box').address, `[${house.address}]`)
    const base = await tempFolder(t, 'six')
    for (const kind of ['http', 'udp'] as const) {
      const made = await sample(join(base, 'seed'), `six ${kind}`, [inside(tracker[kind])])
      await layDownNamed(join(base, 'seed'), made)
      const options = { netns: from.netns, host: from.address }
      await libtorrentSeed(t, made.file, join(base, 'seed'), options)
      await counted(made, 'its seeder', (is) => is.complete === 1)
      const leech = await libtorrentLeech(t, made.file, join(base, 'leech'), {
        netns: to.netns,
        host: to.address,
      })
      await leech.event('finished', undefined, 30_000)
      await sameFiles(join(base, 'leech'), made)
      const query = `info_hash=${escaped(made.infoHash)}&peer_id=-XX0001-123456789012&port=1&left=1`
      const asked = await curl(`${inside(tracker.http)}?${query}`, { netns: to.netns })
      const answer = decode(asked.body)
      assert.ok(answer instanceof Map)
      const peers6 = answer.get('peers6')
      assert.ok(peers6 instanceof Uint8Array && peers6.length === 36, asked.text())
      assert.equal(
        Buffer.from(peers6)
          .toString('hex')
          .match(/fd77000000000000000000000000000[23]/g)?.length,
        2,
      )
    }
  })
})
