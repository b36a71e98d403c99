/**
 * A whole download from a libtorrent seeder over loopback: through the engine and by libtorrent
 * itself, turn and turn about.
 *
 *   node bench/engine-download.ts [--json]
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
const RUNS = 3

/** Every part of a bench run cleans up when the run ends. */
async function once<T>(body: (t: { after(fn: () => void | Promise<void>): void }) => Promise<T>) {
  const cleanups: (() => void | Promise<void>)[] = []
  try {
    return await body({ after: (fn) => void cleanups.push(fn) })
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

await bench('engine-download', async (b: Bench) => {
  const folder = await tempFolder(b)
  await writeFile(join(folder, 'film'), pattern(SIZE))
  const torrentFile = join(folder, 'film.torrent')
  await makeTorrent(join(folder, 'film'), torrentFile, { pieceLength: MIB })
  const info = rawEntries(await readFile(torrentFile)).get('info') ?? new Uint8Array(0)
  const ours: number[] = []
  const theirs: number[] = []

  for (let run = 0; run < RUNS; run++) {
    ours.push(
      await once(async (t) => {
        const seeder = await libtorrentSeed(t, torrentFile, folder, { more: ['--paused-data'] })
        const { engine } = await startEngine(t)
        const start = performance.now()
        const hash = await engine.add(info, { hints: loopback(seeder.port) })
        await engine.want(hash, 0, { start: 0, end: SIZE }, 'background')
        return SIZE / MIB / ((performance.now() - start) / 1000)
      }),
    )
    theirs.push(
      await once(async (t) => {
        const seeder = await libtorrentSeed(t, torrentFile, folder, { more: ['--paused-data'] })
        const save = await tempFolder(t)
        const leecher = await libtorrentLeech(t, torrentFile, save, {
          peers: [`127.0.0.1:${seeder.port}`],
        })
        const { ms } = await leecher.event<{ ms: number }>('finished', undefined, 120_000)
        return SIZE / MIB / (ms / 1000)
      }),
    )
    b.say(`run ${run + 1}: ${ours.at(-1)?.toFixed(0)} and ${theirs.at(-1)?.toFixed(0)} MiB/s`)
  }
  const [us, them] = [median(ours), median(theirs)]
  b.report({ what: 'libtorrent to the engine', value: us, unit: 'MiB/s' })
  b.report({ what: 'libtorrent to libtorrent', value: them, unit: 'MiB/s' })
  b.report({ what: 'ratio', value: us / them, unit: '×', atLeast: 0.4 })
})
