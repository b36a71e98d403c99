/** What somebody who helps has to see, in one archive, scrubbed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { messageOf } from '../../base/errors.ts'
import { tarEnd, tarHeader, tarPadding } from '../../base/tar.ts'
import type { Scrub } from './scrub.ts'

export interface BundlePart {
  /** Of the file in the archive. */
  name: string
  /** Its text; undefined where there is nothing to tell. */
  read(signal: AbortSignal): Promise<string | undefined>
}

export interface BundleOptions {
  folder: string
  scrub: Scrub
  now: number
  /** How long one part may take. */
  partMs: number
}

const MAX_PART_CHARACTERS = 2 * 1024 * 1024

/** The end of what is too long: the last lines of a log say most. */
const cut = (text: string): string =>
  text.length > MAX_PART_CHARACTERS ? `…\n${text.slice(-MAX_PART_CHARACTERS)}` : text

async function readPart(part: BundlePart, partMs: number, signal: AbortSignal): Promise<string> {
  const ended = new AbortController()
  const within = AbortSignal.any([signal, ended.signal])
  const late = sleep(partMs, undefined, { signal: within }).then(
    () => `no answer within ${partMs / 1000} s\n`,
    () => '',
  )
  try {
    return (await Promise.race([part.read(within), late])) ?? 'there is nothing to tell\n'
  } catch (error) {
    return `cannot be read: ${messageOf(error)}\n`
  } finally {
    ended.abort()
  }
}

/** A gzipped tar, in memory as the disk may be full; what a part could not tell is said in its place. */
export async function makeBundle(
  parts: readonly BundlePart[],
  { folder, scrub, now, partMs }: BundleOptions,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const files = await Promise.all(
    parts.map(async (part) => {
      const text = scrub(cut(await readPart(part, partMs, signal)))
      const bytes = Buffer.from(text, 'utf8')
      const { length } = bytes
      const entry = { name: `${folder}/${part.name}`, length, mode: 0o600, mtime: now / 1000 }
      return [tarHeader(entry), bytes, tarPadding(length)]
    }),
  )
  return promisify(gzip)(Buffer.concat([...files.flat(), tarEnd()]))
}
