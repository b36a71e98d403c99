import assert from 'node:assert/strict'
import type { Metainfo } from '../../../src/base/metainfo/metainfo.ts'

/** What whoever works with a Metainfo relies on. */
export function assertSound(metainfo: Metainfo): void {
  let offset = 0
  const paths = new Set<string>()
  for (const [index, file] of metainfo.files.entries()) {
    assert.equal(file.index, index)
    assert.equal(file.offset, offset)
    offset += file.length
    assert.ok(Number.isSafeInteger(file.length) && file.length >= 0)
    assert.ok(file.path.length > 0)
    for (const name of file.path) {
      assert.ok(name !== '' && name !== '.' && name !== '..' && !/[/\p{Cc}]/u.test(name), name)
      assert.ok(name.isWellFormed())
    }
    if (file.isPad) continue
    const path = file.path.join('/')
    assert.ok(!paths.has(path), path)
    paths.add(path)
  }
  assert.equal(metainfo.totalLength, offset)
  assert.equal(metainfo.pieceCount, Math.ceil(offset / metainfo.pieceLength))
  assert.equal(metainfo.pieces.length, metainfo.pieceCount * 20)
}
