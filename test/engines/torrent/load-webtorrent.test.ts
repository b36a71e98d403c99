import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadWebTorrent } from '../../../src/engines/torrent/wire/load-webtorrent.ts'

describe('webtorrent', () => {
  it('is loaded without native code for WebRTC and uTP', async () => {
    const Client = await loadWebTorrent()
    assert.equal(typeof Client, 'function')
    assert.equal(await loadWebTorrent(), Client)
    const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
    assert.ok(sharedObjects.length > 0)
    assert.deepEqual(
      sharedObjects.filter((path) => /datachannel|utp-native/.test(path)),
      [],
    )
  })
})
