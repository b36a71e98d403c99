import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { encodeTorrentFile } from '../../../src/base/metainfo/encode.ts'
import type { UploadedFile } from '../../../src/base/ports/content.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { openBox, siteFolder } from './box.ts'

const MB = 1024 * 1024
const SHOW = '/usr/bin/transmission-show'

describe('a large upload', () => {
  it('is stored in constant memory', async (t) => {
    const box = await openBox(t, { config: { uploads: { max_size: 1024 * MB } } })
    const chunk = Buffer.alloc(65_536)
    let most = 0
    async function* content(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < (200 * MB) / chunk.length; i++) {
        chunk.writeUInt32LE(i)
        if (i % 100 === 0) most = Math.max(most, process.memoryUsage().rss)
        yield chunk
      }
    }
    async function* files(): AsyncGenerator<UploadedFile> {
      yield { path: ['big.bin'], content: content() }
    }
    const before = process.memoryUsage().rss
    const { totalLength } = await box.publisher.upload('big', files())
    most = Math.max(most, process.memoryUsage().rss)
    assert.equal(totalLength, 200 * MB)
    assert.ok(most - before < 100 * MB, `grew by ${Math.round((most - before) / MB)} MB`)
  })
})

describe('a published torrent', () => {
  const skip = missing(SHOW)

  it('of a large file has pieces of 2 MiB by the defaults, as Transmission reads it', {
    skip,
  }, async (t) => {
    const box = await openBox(t, { config: { storage: { blob_threshold: 8 * MB } } })
    const folder = await siteFolder(t, { 'big.bin': Buffer.alloc(9 * MB, 1), 'index.html': 'x' })
    const { infoHash } = await box.publisher.folder(folder, { keyName: 'main' })
    const info = await box.store.torrents.info(infoHash)
    assert.ok(info)
    const file = join(await tempFolder(t), 'site.torrent')
    await writeFile(file, encodeTorrentFile(info))
    const shown = await output(SHOW, [file])
    assert.match(shown, /Piece Size: 2\.00 MiB/)
    assert.match(shown, new RegExp(`Hash:? ?(v1: )?${infoHash}`))
    assert.match(shown, /site\/index\.html/)
  })
})
