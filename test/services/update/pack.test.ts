import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { makePack } from '../../../image/pack.ts'
import {
  BadPack,
  decodePack,
  encodeEnd,
  encodeHeader,
  encodeStep,
  type Step,
} from '../../../src/services/update/pack-format.ts'
import { unpack } from '../../../src/services/update/unpack.ts'
import { output } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

const signal = new AbortController().signal
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function* inParts(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(bytes: Uint8Array, partSize = 7): Promise<Step[]> {
  const { steps } = await decodePack(inParts(bytes, partSize))
  const found: Step[] = []
  for await (const step of steps) found.push(step)
  return found
}

const packOf = (outBytes: number, ...parts: Uint8Array[]) =>
  Buffer.concat([encodeHeader({ blockBytes: 512, outBytes }), ...parts, encodeEnd()])
const data = (length: number, blocks = Math.ceil(length / 512)): Step => ({
  kind: 'data',
  blocks,
  bytes: Buffer.alloc(length, 3),
})

/** Packs `fresh` against `old` and unpacks it again; gives both sizes. */
async function roundTrip(
  t: Cleanup,
  old: Uint8Array | undefined,
  fresh: Uint8Array,
  blockBytes = 4096,
) {
  const folder = await tempFolder(t)
  const path = (name: string) => join(folder, name)
  await writeFile(path('new'), fresh)
  if (old) await writeFile(path('old'), old)
  const from = old && { old: path('old') }
  const done = await makePack({ path: path('new'), to: path('pack'), blockBytes, ...from })
  const file = { name: 'new', size: fresh.length, sha256: sha256(fresh) }
  const input = {
    name: 'pack',
    chunks: createReadStream(path('pack')),
    file,
    to: path('out'),
    ...from,
  }
  await unpack(input, signal)
  assert.ok((await readFile(path('out'))).equals(fresh))
  return { ...done, folder }
}

describe('R19 packs', () => {
  it('read the steps that were written, however they arrive', async () => {
    const steps: Step[] = [
      { kind: 'copy', blocks: 2, first: 7 },
      { kind: 'zero', blocks: 1 },
      data(512 * 3),
      data(100, 1),
    ]
    const bytes = packOf(512 * 6 + 100, ...steps.map((step) => encodeStep(step)))
    for (const size of [1, 7, 4096]) assert.deepEqual(await read(bytes, size), steps)
  })

  it('are read no further than they are sound', async () => {
    const good = packOf(1024, encodeStep(data(1024)))
    const patched = (at: number, ...values: number[]) => {
      const bytes = Buffer.from(good)
      bytes.set(values, at)
      return bytes
    }
    const shelf: [string, Uint8Array][] = [
      ['nothing', Buffer.alloc(0)],
      ['another kind', patched(0, 0x58)],
      ['blocks of no size', patched(8, 0, 0, 0, 0)],
      ['blocks of an odd size', patched(8, 0, 0, 3, 0)],
      ['blocks without end', patched(8, 0x7f, 0xff, 0xff, 0xff)],
      ['a file without end', patched(12, 0xff)],
      ['a step of no type', patched(20, 9)],
      ['no blocks', patched(21, 0, 0, 0, 0)],
      ['more blocks than the file', patched(21, 0, 0, 0, 3)],
      ['fewer blocks than data', patched(21, 0, 0, 0, 1)],
      ['a length beyond the cap', patched(25, 0x7f, 0xff, 0xff, 0xff)],
      ['a length beyond its end', patched(25, 0, 0, 0, 200)],
      ['a cut', good.subarray(0, -1)],
      ['a cut in the data', good.subarray(0, 30)],
      ['more after the end', Buffer.concat([good, Buffer.of(0)])],
      ['less than it says', packOf(2048, encodeStep(data(1024)))],
      ['an end at once', packOf(1024)],
      [
        'a bomb',
        packOf(1024, encodeStep({ kind: 'data', blocks: 2, bytes: Buffer.alloc(1 << 20) })),
      ],
    ]
    for (const [what, bytes] of shelf) await assert.rejects(read(bytes), BadPack, what)
  })

  it('throw nothing but their own fault at whatever they are', async () => {
    const good = packOf(1024 + 512, encodeStep({ kind: 'zero', blocks: 1 }), encodeStep(data(1024)))
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 6 }),
        async (at, put) => {
          const bytes = Buffer.from(good)
          bytes.set(put.subarray(0, good.length - at), at)
          await read(bytes).catch((error: unknown) =>
            assert.ok(error instanceof BadPack, String(error)),
          )
        },
      ),
      { numRuns: 500 },
    )
  })

  it('make every file out of every other', async (t) => {
    const folder = await tempFolder(t)
    const bytes = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 700 })), { maxLength: 20 })
    const build = (parts: [number, number][]) =>
      Buffer.concat(parts.map(([value, length]) => Buffer.alloc(length, value)))
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (a, b) => {
        const [old, fresh] = [build(a), build(b)]
        const path = (name: string) => join(folder, name)
        await writeFile(path('old'), old)
        await writeFile(path('new'), fresh)
        await makePack({ path: path('new'), old: path('old'), to: path('pack'), blockBytes: 512 })
        const file = { name: 'new', size: fresh.length, sha256: sha256(fresh) }
        const chunks = createReadStream(path('pack'), { highWaterMark: 11 })
        await unpack({ name: 'pack', chunks, file, old: path('old'), to: path('out') }, signal)
        assert.ok((await readFile(path('out'))).equals(fresh))
      }),
      { numRuns: 100 },
    )
  })

  it('carry what changed, where it moved, and not what stayed', async (t) => {
    const old = randomBytes(4096 * 500)
    const added = randomBytes(4096 * 10)
    const fresh = Buffer.concat([
      old.subarray(0, 4096 * 100),
      added,
      old.subarray(4096 * 100),
      Buffer.alloc(1 << 20),
    ])
    const { bytes, changedBytes } = await roundTrip(t, old, fresh)
    assert.equal(changedBytes, added.length)
    assert.ok(bytes < added.length * 1.01, `${bytes}`)
  })

  it('make nothing else than what was signed', async (t) => {
    const folder = await tempFolder(t)
    const path = (name: string) => join(folder, name)
    const [old, fresh] = [randomBytes(8192), randomBytes(8192)]
    await writeFile(path('old'), old)
    await writeFile(path('new'), Buffer.concat([old, fresh]))
    await makePack({ path: path('new'), old: path('old'), to: path('pack'), blockBytes: 4096 })
    const file = { name: 'new', size: 16_384, sha256: sha256(Buffer.concat([old, fresh])) }
    const run = (change: object) =>
      unpack(
        {
          name: 'pack',
          chunks: createReadStream(path('pack')),
          file,
          old: path('old'),
          to: path('out'),
          ...change,
        },
        signal,
      )
    await run({})
    await assert.rejects(run({ file: { ...file, size: 8192 } }), {
      code: 'BTL_ERR_UPDATE_BAD_DELTA',
    })
    await assert.rejects(
      unpack(
        { name: 'pack', chunks: createReadStream(path('pack')), file, to: path('out') },
        signal,
      ),
      { code: 'BTL_ERR_UPDATE_BAD_DELTA' },
    )
    await writeFile(path('old'), randomBytes(8192))
    await assert.rejects(run({}), { code: 'BTL_ERR_UPDATE_BAD_FILE' })
  })

  it('of two erofs images carry at most 1.1 times what changed', async (t) => {
    const folder = await tempFolder(t)
    const tree = join(folder, 'tree')
    await output('mkdir', ['-p', tree])
    for (let i = 0; i < 60; i++)
      await writeFile(
        join(tree, `file-${i}`),
        randomBytes(20_000)
          .toString('hex')
          .repeat(1 + (i % 3)),
      )
    const image = async (name: string) => {
      const path = join(folder, name)
      await output('/usr/bin/mkfs.erofs', [
        '-zlz4hc',
        '-T0',
        '-U',
        '7c6e8f3a-53d1-4a0a-9a8e-0d8e3f1c2b4d',
        path,
        tree,
      ])
      return readFile(path)
    }
    const old = await image('old.erofs')
    for (const i of [7, 21, 40])
      await writeFile(join(tree, `file-${i}`), randomBytes(30_000).toString('hex'))
    await writeFile(join(tree, 'file-new'), randomBytes(50_000))
    const fresh = await image('new.erofs')
    const { bytes, changedBytes } = await roundTrip(t, old, fresh)
    assert.ok(changedBytes < fresh.length / 3, `${changedBytes} of ${fresh.length} changed`)
    assert.ok(bytes <= changedBytes * 1.1, `${bytes} for ${changedBytes}`)
  })
})
