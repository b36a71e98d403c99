/**
 * Reads the tars that tar-writer.ts makes, and refuses all else: no links, no folders, no devices, no
 * second spelling of anything. What is in a name is for the caller to judge.
 */
import { TAR_BLOCK_BYTES, tarPadding } from '../../base/tar.ts'
import { type ByteSource, createByteSource } from './byte-source.ts'
import { Damaged } from './errors.ts'

export interface TarEntry {
  name: string
  size: number
  /** To be read before the next entry is asked for; what is left of it is skipped. */
  content: AsyncIterable<Uint8Array>
}

const MAX_PAX_BYTES = 8192
const PIECE_BYTES = 65_536
const NAME = /^[\x21-\x7e]+$/

function textAt(block: Buffer, from: number, length: number): string {
  const field = block.subarray(from, from + length)
  const end = field.indexOf(0)
  if (end >= 0 && field.subarray(end).some((byte) => byte !== 0)) {
    throw new Damaged('a file in it has bytes after its name')
  }
  return field.toString('latin1', 0, end < 0 ? length : end)
}

function numberAt(block: Buffer, from: number, length: number): number {
  const text = block.toString('latin1', from, from + length)
  if (!/^[0-7]+[\0 ]*$/.test(text)) throw new Damaged('a file in it has no sound size')
  return Number.parseInt(text, 8)
}

function checkSum(block: Buffer): void {
  let sum = 8 * 0x20
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte
  if (numberAt(block, 148, 8) !== sum) throw new Damaged('the head of a file in it is not sound')
}

/** `path` and `size` alone. */
function readPax(bytes: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {}
  let text = bytes.toString('latin1')
  while (text !== '') {
    const length = Number(/^([1-9]\d{0,4}) /.exec(text)?.[1] ?? 0)
    const one = text.slice(0, length)
    const [, key, value = ''] = /^\d+ (path|size)=([^\n]*)\n$/.exec(one) ?? []
    if (length > text.length || key === undefined) throw new Damaged('a file in it has odd records')
    if (key === 'path') found.path = value
    else if (/^[1-9]\d{0,14}$/.test(value)) found.size = Number(value)
    else throw new Damaged('a file in it has no sound size')
    text = text.slice(length)
  }
  return found
}

async function readBlock(source: ByteSource): Promise<Buffer> {
  const block = await source.take(TAR_BLOCK_BYTES)
  if (block.length < TAR_BLOCK_BYTES) throw new Damaged('it ends in the middle of its files')
  return block
}

async function readPadding(source: ByteSource, size: number): Promise<void> {
  const padding = tarPadding(size).length
  const rest = await source.take(padding)
  if (rest.length < padding) throw new Damaged('it ends in the middle of a file')
  if (rest.some((byte) => byte !== 0)) throw new Damaged('it has bytes between its files')
}

async function readEnd(source: ByteSource): Promise<void> {
  const second = await readBlock(source)
  if (second.some((byte) => byte !== 0)) throw new Damaged('its files have no end')
  if ((await source.some(1)).length > 0) throw new Damaged('it has bytes after its files')
}

/** @throws Damaged */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarEntry, void, undefined> {
  const source = createByteSource(stream)
  let pax: { path?: string; size?: number } | undefined
  try {
    for (;;) {
      const block = await readBlock(source)
      if (block.every((byte) => byte === 0)) {
        if (pax) throw new Damaged('its files have no end')
        return await readEnd(source)
      }
      checkSum(block)
      if (block.toString('latin1', 257, 265) !== 'ustar\x0000')
        throw new Damaged('it is no tar of ours')
      const type = block.toString('latin1', 156, 157)
      const size = numberAt(block, 124, 12)
      if (type === 'x' && !pax) {
        if (size === 0 || size > MAX_PAX_BYTES) throw new Damaged('a file in it has odd records')
        pax = readPax(await source.take(size))
        await readPadding(source, size)
        continue
      }
      if (type !== '0' || textAt(block, 157, 100) !== '' || textAt(block, 345, 155) !== '') {
        throw new Damaged('it holds something that is no plain file')
      }
      const name = pax?.path ?? textAt(block, 0, 100)
      if (!NAME.test(name)) throw new Damaged('a file in it has no sound name')
      const whole = pax?.size ?? size
      pax = undefined
      let left = whole
      async function* content(): AsyncGenerator<Uint8Array, void, undefined> {
        while (left > 0) {
          const piece = await source.some(Math.min(left, PIECE_BYTES))
          if (piece.length === 0) throw new Damaged('it ends in the middle of a file')
          left -= piece.length
          yield piece
        }
      }
      yield { name, size: whole, content: content() }
      // What the caller did not want; a new generator goes on where the first one stopped.
      for await (const _ of content());
      await readPadding(source, whole)
    }
  } finally {
    await source.close()
  }
}
