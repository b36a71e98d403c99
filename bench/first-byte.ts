/**
 * From a torrent file and one known peer to the first bytes at an offset of 200 MB: the engine and a
 * libtorrent reader with a deadline, turn and turn about, both with nothing on disk.
 *
 *   node bench/first-byte.ts [--json]
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rawEntries } from '../src/base/bencode.ts'
import { loopback, startEngine } from '../test/engines/torrent/support.ts'
import { libtorrentLeech, libtorrentSeed, makeTorrent } from '../test/support/libtorrent.ts'
import { tempFolder } from '../test/support/temp.ts'
import { pattern } from '../test/support/torrents.ts'
import { type Bench, bench, median } from './runner.ts'

const MIB = 1024 * 1024
const SIZE = 256 * MIB
const OFFSET = 200_000_000
const PIECE = MIB / 2
const RUNS = 7

async function once<T>(body: (t: { after(fn: () => void | Promise<void>): void }) => Promise<T>) {
  const cleanups: (() => void | Promise<void>)[] = []
  try {
    return await body({ after: (fn) => void cleanups.push(fn) })
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

await bench('first-byte', async (b: Bench) => {
  const folder = await tempFolder(b)
  await writeFile(join(folder, 'film'), pattern(SIZE))
  const torrentFile = join(folder, 'film.torrent')
  await makeTorrent(join(folder, 'film'), torrentFile, { pieceLength: PIECE })
  const info = rawEntries(await readFile(torrentFile)).get('info') ?? new Uint8Array(0)
  const seeder = await libtorrentSeed(b, torrentFile, folder, { more: ['--paused-data'] })
  const hints = loopback(seeder.port)
  const ours: number[] = []
  const theirs: number[] = []

  for (let run = 0; run < RUNS; run++) {
    ours.push(
      await once(async (t) => {
        const { engine } = await startEngine(t)
        const start = performance.now()
        const hash = await engine.add(info, { hints })
        await engine.want(hash, 0, { start: OFFSET, end: OFFSET + 65_536 }, 'now')
        return performance.now() - start
      }),
    )
    theirs.push(
      await once(async (t) => {
        const piece = Math.floor(OFFSET / PIECE)
        const leecher = await libtorrentLeech(t, torrentFile, await tempFolder(t), {
          peers: [`127.0.0.1:${seeder.port}`],
          more: ['--deadline', String(piece)],
        })
        const { ms } = await leecher.event<{ piece: number; ms: number }>(
          'piece',
          (event) => event.piece === piece,
        )
        return ms
      }),
    )
    b.say(`run ${run + 1}: ${ours.at(-1)?.toFixed(0)} and ${theirs.at(-1)?.toFixed(0)} ms`)
  }
  const [us, them] = [median(ours), median(theirs)]
  b.report({ what: 'the engine, first bytes after', value: us, unit: 'ms' })
  b.report({ what: 'libtorrent, first bytes after', value: them, unit: 'ms' })
  b.report({ what: 'ratio', value: us / them, unit: '×', atMost: 1.5 })
})
