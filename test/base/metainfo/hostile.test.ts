import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BtlError } from '../../../src/base/errors.ts'
import {
  decodeInfo,
  decodeInfoInSlices,
  decodeTorrentFile,
  decodeTorrentFileInSlices,
} from '../../../src/base/metainfo/decode.ts'
import type { Metainfo } from '../../../src/base/metainfo/metainfo.ts'
import { type HostileTorrent, hostileTorrents } from '../../vectors/hostile-torrents.ts'
import { assertSound } from './sound.ts'

const read = ({ kind }: HostileTorrent, bytes: Uint8Array): Metainfo =>
  kind === 'info' ? decodeInfo(bytes) : decodeTorrentFile(bytes).metainfo

const readInSlices = async ({ kind }: HostileTorrent, bytes: Uint8Array): Promise<Metainfo> =>
  kind === 'info' ? decodeInfoInSlices(bytes) : (await decodeTorrentFileInSlices(bytes)).metainfo

function assertRefusal(error: BtlError, reason: RegExp | undefined): true {
  assert.equal(error.code, 'BTL_ERR_BASE_METAINFO', error.stack)
  assert.equal(error.statusCode, 502)
  assert.match(error.message, /^bad metainfo: /)
  if (reason) assert.match(error.message, reason)
  assert.match(error.message, /^[^\p{Cc}]*$/u, 'no control characters in a log line')
  assert.ok(error.message.length < 300, 'a short message')
  return true
}

describe('a hostile torrent', () => {
  it('comes in 120 kinds and more, each named once', () => {
    assert.ok(hostileTorrents.length >= 120, `${hostileTorrents.length}`)
    assert.equal(new Set(hostileTorrents.map(({ name }) => name)).size, hostileTorrents.length)
  })

  for (const torrent of hostileTorrents) {
    it(`is ${torrent.expected}: ${torrent.name}`, async () => {
      const bytes = torrent.bytes()
      if (torrent.expected === 'refused') {
        assert.throws(
          () => read(torrent, bytes),
          (error: BtlError) => assertRefusal(error, torrent.reason),
        )
        await assert.rejects(readInSlices(torrent, bytes), { code: 'BTL_ERR_BASE_METAINFO' })
        return
      }
      const metainfo = read(torrent, bytes)
      assertSound(metainfo)
      const sliced = await readInSlices(torrent, bytes)
      assert.equal(sliced.infoHash, metainfo.infoHash)
    })
  }
})
