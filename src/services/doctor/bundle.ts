/** What somebody who helps has to see, in one archive, scrubbed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../base/errors.ts'
import type { Scrub } from './scrub.ts'
import { tarGz } from './tar.ts'

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

/** A gzipped tar; what a part could not tell is said in its place. */
export async function makeBundle(
  parts: readonly BundlePart[],
  { folder, scrub, now, partMs }: BundleOptions,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const files = await Promise.all(
    parts.map(async (part) => {
      const text = scrub(cut(await readPart(part, partMs, signal)))
      return { name: `${folder}/${part.name}`, bytes: Buffer.from(text, 'utf8') }
    }),
  )
  return tarGz(files, now)
}
