/** What the interop tests share: one site, laid down as we keep it and as other programs do. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { layDown, makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { loopback, startEngine, type TestEngine } from './support.ts'

export const LENGTH = 5_000_011
export const signal = () => AbortSignal.timeout(75_000)

/** @param film Transmission writes other names than those of the torrent where they are odd */
export const site = (film = 'film #1?.bin'): MadeTorrent =>
  makeTorrentOf(
    [
      { path: ['index.html'], bytes: Buffer.from('<h1>hello</h1>') },
      { path: ['media', film], bytes: pattern(LENGTH, 7) },
      { path: ['empty'], bytes: new Uint8Array(0) },
    ],
    { name: 'a site', pieceLength: 65_536 },
  )

/** The torrent as other programs keep it: named folders and a .torrent. */
export async function foreignFolder(folder: string, made: MadeTorrent): Promise<string> {
  for (const { path, bytes } of made.files) {
    const file = join(folder, 'a site', ...path)
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, bytes)
  }
  const torrentFile = join(folder, 'site.torrent')
  await writeFile(torrentFile, made.torrentFile)
  return torrentFile
}

export async function seededHere(t: Parameters<typeof startEngine>[0], made: MadeTorrent) {
  const box = await startEngine(t)
  await layDown(box.layout.torrents, made)
  await box.engine.add(made.info, { verified: true })
  await box.engine.seed(made.infoHash)
  return box
}

export async function takesFrom(box: TestEngine, made: MadeTorrent, port: number): Promise<void> {
  const info = await box.engine.metainfo(made.infoHash, loopback(port), signal())
  assert.deepEqual(Buffer.from(info), Buffer.from(made.info))
  await box.engine.add(info, { hints: loopback(port) })
  const range = { start: 0, end: LENGTH }
  await box.engine.want(made.infoHash, 1, range, 'background', signal())
  const bytes = await readFile(torrentFilePath(box.layout, made.infoHash, 1))
  assert.ok(bytes.equals(Buffer.from(pattern(LENGTH, 7))))
}

export const arrived = async (folder: string, film = 'film #1?.bin') =>
  until(
    'the file',
    async () => {
      const bytes = await readFile(join(folder, 'a site', 'media', film))
      return bytes.equals(Buffer.from(pattern(LENGTH, 7)))
    },
    { timeoutMs: 75_000, everyMs: 200 },
  )
