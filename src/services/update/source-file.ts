/** A release on a disk or stick: a folder, or a tar file (POSIX.1-1988 ustar, as `tar` writes it). */
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'
import { BadRelease, Unreachable } from './errors.ts'
import type { ReleaseSource } from './source.ts'

const BLOCK = 512
const MAX_ENTRIES = 512

interface Entry {
  start: number
  size: number
}

async function* range(path: string, start: number, size: number): AsyncGenerator<Uint8Array> {
  if (size <= 0) return
  yield* createReadStream(path, { start, end: start + size - 1, highWaterMark: 256 * 1024 })
}

export function folderSource(folder: string): ReleaseSource {
  return {
    where: folder,
    kind: 'file',
    async open(name, offset) {
      const path = join(folder, name)
      const info = await stat(path).catch((error: unknown) => {
        throw new Unreachable(folder, `${name}: ${codeOf(error) ?? messageOf(error)}`)
      })
      if (!info.isFile()) throw new Unreachable(folder, `${name} is no file`)
      return { offset, body: range(path, offset, info.size - offset) }
    },
  }
}

const field = (header: Buffer, from: number, length: number): string => {
  const bytes = header.subarray(from, from + length)
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end < 0 ? length : end)
}

function isSound(header: Buffer): boolean {
  const stated = Number.parseInt(field(header, 148, 8).trim(), 8)
  let sum = 8 * 0x20
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte
  return stated === sum
}

/** GNU tar writes sizes of 8 GiB and more in base 256; a release has none. */
const sizeOf = (header: Buffer): number => {
  const text = field(header, 124, 12).trim()
  return /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN
}

async function readIndex(path: string, file: FileHandle): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  const header = Buffer.alloc(BLOCK)
  const { size: total } = await file.stat()
  for (let at = 0, seen = 0; at + BLOCK <= total; seen++) {
    const { bytesRead } = await file.read(header, 0, BLOCK, at)
    if (bytesRead < BLOCK || header.every((byte) => byte === 0)) break
    const size = sizeOf(header)
    if (!isSound(header) || Number.isNaN(size) || seen >= MAX_ENTRIES)
      throw new BadRelease(path, `its header at byte ${at} is none of a tar file`)
    const start = at + BLOCK
    if (start + size > total) throw new BadRelease(path, 'the tar file is cut off')
    const type = header[156]
    // Files only, by their last component: with `tar -C` or without, in a folder or not.
    const name = field(header, 0, 100).split('/').at(-1) ?? ''
    if ((type === 0x30 || type === 0) && name !== '') entries.set(name, { start, size })
    at = start + Math.ceil(size / BLOCK) * BLOCK
  }
  return entries
}

async function tarSource(path: string): Promise<ReleaseSource> {
  const file = await open(path, 'r')
  try {
    const entries = await readIndex(path, file)
    return {
      where: path,
      kind: 'file',
      async open(name, offset) {
        const entry = entries.get(name)
        if (!entry) throw new Unreachable(path, `it has no ${name}`)
        return { offset, body: range(path, entry.start + offset, entry.size - offset) }
      },
    }
  } finally {
    await file.close()
  }
}

/**
 * A folder or tar file of a release.
 * @throws Unreachable where there is none
 */
export async function pathSource(path: string): Promise<ReleaseSource> {
  const whole = resolve(path)
  const info = await stat(whole).catch((error: unknown) => {
    throw new Unreachable(whole, codeOf(error) ?? messageOf(error), { cause: error })
  })
  return info.isDirectory() ? folderSource(whole) : tarSource(whole)
}
