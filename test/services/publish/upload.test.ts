import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import type { UploadedFile } from '../../../src/base/ports/content.ts'
import { type Box, openBox, uploads } from './box.ts'

type Part = [path: string, content: string]

const metainfoOf = async (box: Box, hash: Parameters<Box['store']['torrents']['info']>[0]) =>
  decodeInfo((await box.store.torrents.info(hash)) ?? new Uint8Array(0))

const blobsOf = async (box: Box) =>
  (await readdir(box.paths.blobs, { recursive: true })).filter((name) => name.includes('/'))

describe('an upload', () => {
  it('becomes a torrent of several files, seeded at once and pinned', async (t) => {
    const box = await openBox(t)
    const parts: Part[] = [
      ['b/c.txt', 'c'],
      ['a.txt', 'a'],
    ]
    const made = await box.publisher.upload('', uploads(...parts))
    assert.deepEqual([made.files, made.totalLength], [2, 2])
    const metainfo = await metainfoOf(box, made.infoHash)
    assert.equal(metainfo.name, 'btlink upload')
    assert.equal(metainfo.isSingleFile, false)
    const paths = metainfo.files.map(({ path }) => path.join('/'))
    assert.deepEqual(paths, ['a.txt', 'b/c.txt'])
    assert.equal(await readFile(torrentFilePath(box.paths, made.infoHash, 1), 'utf8'), 'c')
    const status = await box.engine.status(made.infoHash)
    assert.ok(status?.complete && status.seeding)
    const [pin] = box.store.sites.pinnedTorrents()
    assert.equal(pin?.infoHash, made.infoHash)
  })

  it('gives the same infohash for the same files and name in any order, and another for another name', async (t) => {
    const box = await openBox(t)
    const parts: Part[] = [
      ['x', '1'],
      ['a/y', '2'],
      ['a/z', '3'],
    ]
    const a = await box.publisher.upload('trip', uploads(...parts))
    const b = await box.publisher.upload('trip', uploads(...parts.toReversed()))
    const c = await box.publisher.upload('trap', uploads(...parts))
    assert.equal(b.infoHash, a.infoHash)
    assert.notEqual(c.infoHash, a.infoHash)
  })

  it('ignores parts without a name and empty parts of a path', async (t) => {
    const box = await openBox(t)
    const parts: Part[] = [
      ['', 'nothing'],
      ['a//b.txt', 'b'],
    ]
    const made = await box.publisher.upload('u', uploads(...parts))
    const { files } = await metainfoOf(box, made.infoHash)
    assert.deepEqual(
      files.map(({ path }) => path),
      [['a', 'b.txt']],
    )
  })

  for (const [what, ...paths] of [
    ['a path that goes up', 'a/../b'],
    ['an absolute path', '/etc/passwd'],
    ['a NUL byte', 'a\0b'],
    ['a backslash', '..\\..\\x'],
    ['a name that is too long', 'x'.repeat(256)],
    ['two files of one path', 'a', 'a'],
    ['a file that is a folder', 'a', 'a/b'],
    ['a folder that is a file', 'a/b', 'a'],
    ['a lone surrogate', '\ud800'],
  ]) {
    it(`with ${what} is refused and leaves nothing behind`, async (t) => {
      const box = await openBox(t)
      const parts = ['fine.txt', ...paths].map((path): Part => [path, `content of ${path}`])
      await assert.rejects(box.publisher.upload('u', uploads(...parts)), {
        code: 'BTL_ERR_PUBLISH_BAD_PATH',
        statusCode: 400,
      })
      assert.deepEqual(await blobsOf(box), [])
      assert.deepEqual(await readdir(box.paths.torrents), [])
    })
  }

  it('without any byte is refused', async (t) => {
    const box = await openBox(t)
    await assert.rejects(box.publisher.upload('u', uploads()), { code: 'BTL_ERR_PUBLISH_EMPTY' })
    await assert.rejects(box.publisher.upload('u', uploads(['empty', ''])), {
      code: 'BTL_ERR_PUBLISH_EMPTY',
    })
  })

  it('over the limit is refused with 413, counted over all its files, and leaves nothing behind', async (t) => {
    const box = await openBox(t)
    const parts: Part[] = [
      ['a', 'x'.repeat(600)],
      ['b', 'y'.repeat(401)],
    ]
    const over = box.publisher.upload('u', uploads(...parts), { maxBytes: 1000 })
    await assert.rejects(over, { code: 'BTL_ERR_PUBLISH_TOO_LARGE', statusCode: 413 })
    assert.deepEqual(await blobsOf(box), [])
    const exact = await box.publisher.upload('u', uploads(...parts), { maxBytes: 1001 })
    assert.equal(exact.totalLength, 1001)
  })

  it('that fails keeps the bytes that another torrent holds', async (t) => {
    const box = await openBox(t)
    const made = await box.publisher.upload('u', uploads(['a', 'shared']))
    const over = uploads(['b', 'shared'], ['c', 'x'.repeat(1000)])
    await assert.rejects(box.publisher.upload('v', over, { maxBytes: 500 }))
    assert.equal(await readFile(torrentFilePath(box.paths, made.infoHash, 0), 'utf8'), 'shared')
    assert.equal((await blobsOf(box)).length, 1)
  })

  it('that breaks off in the middle leaves nothing behind', async (t) => {
    const box = await openBox(t)
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half')
      throw new Error('the client went away')
    }
    async function* parts(): AsyncGenerator<UploadedFile> {
      yield { path: ['a'], content: broken() }
    }
    await assert.rejects(box.publisher.upload('u', parts()), /went away/)
    assert.deepEqual(await readdir(box.paths.blobs), [])
  })

  it('of any names either gives them back or is refused as a bad request', async (t) => {
    const box = await openBox(t)
    const name = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 6 }))
    const parts = fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
      selector: (path) => path.join('/'),
    })
    await fc.assert(
      fc.asyncProperty(parts, async (paths) => {
        async function* files(): AsyncGenerator<UploadedFile> {
          for (const path of paths) {
            yield {
              path,
              content: (async function* () {
                yield Buffer.from('x')
              })(),
            }
          }
        }
        try {
          const made = await box.publisher.upload('u', files())
          const kept = paths.map((path) => path.filter((part) => part !== '').join('/'))
          const found = (await metainfoOf(box, made.infoHash)).files.map(({ path }) =>
            path.join('/'),
          )
          const expected = kept.filter((path) => path !== '')
          assert.deepEqual(found.toSorted(), expected.toSorted())
        } catch (error) {
          assert.equal((error as { statusCode?: number }).statusCode, 400, String(error))
        }
      }),
      { numRuns: 60 },
    )
  })
})
