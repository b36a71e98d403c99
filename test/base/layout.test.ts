import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { infoHash, sha256 } from '../../src/base/hashes.ts'
import { blobPath, torrentFilePath, torrentFolder, torrentInfoPath } from '../../src/base/layout.ts'

const layout = { blobs: '/state/store/blobs', torrents: '/state/store/torrents' }
const ih = infoHash('ab'.repeat(20))

describe('the layout of the store', () => {
  it('puts a blob into the folder of its first two digits', () => {
    const hash = 'cd'.repeat(32)
    assert.equal(blobPath(layout, sha256(hash)), `/state/store/blobs/cd/${hash}`)
  })

  it('names the files of a torrent by their index, never by their path', () => {
    const folder = `/state/store/torrents/${ih}`
    assert.equal(torrentFolder(layout, ih), folder)
    assert.equal(torrentFilePath(layout, ih, 12), `${folder}/12`)
    assert.equal(torrentInfoPath(layout, ih), `${folder}/info`)
  })
})
