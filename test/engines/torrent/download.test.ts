import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { layDown, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { loopback, startEngine } from './support.ts'

it('gives metadata and data to another box', async (t) => {
  const made = makeTorrentOf(pattern(1_000_003), { pieceLength: 16_384 })
  const seeder = await startEngine(t)
  await layDown(seeder.layout.torrents, made)
  await seeder.engine.add(made.info, { verified: true })
  await seeder.engine.seed(made.infoHash)
  const leecher = await startEngine(t)
  const signal = AbortSignal.timeout(10_000)
  const info = await leecher.engine.metainfo(made.infoHash, loopback(seeder.port), signal)
  assert.deepEqual(Buffer.from(info), Buffer.from(made.info))
  await leecher.engine.add(info, { hints: loopback(seeder.port) })
  await leecher.engine.want(made.infoHash, 0, { start: 0, end: 1_000_003 }, 'now', signal)
  const bytes = await readFile(torrentFilePath(leecher.layout, made.infoHash, 0))
  assert.deepEqual(bytes, Buffer.from(made.files[0]?.bytes ?? []))
})
