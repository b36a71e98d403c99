/** Reads a backup from its first byte to its last, and believes nothing before the end. */
import { createHash } from 'node:crypto'
import { unseal } from './age.ts'
import { Damaged, NotABackup } from './errors.ts'
import {
  type Head,
  type Listed,
  MAX_FILES,
  MAX_SMALL_FILES,
  maxBytes,
  type Part,
  partOf,
  readHeadFile,
  readManifest,
} from './form.ts'
import { readTar } from './tar-reader.ts'

export interface PackedFile {
  part: Part
  name: string
  /** Path below the state folder, or the hash in its name. */
  rest: string
  size: number
  content: AsyncIterable<Uint8Array>
}

export interface Sealed {
  /** From its first byte. */
  sealed: AsyncIterable<Uint8Array>
  passphrase: string
}

export interface Whole {
  head: Head
  files: Map<string, Listed>
  bytes: number
}

export async function gather(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** @throws Damaged where a file is missing, or another one */
function compare(files: Map<string, Listed>, manifest: Map<string, Listed>): void {
  for (const [name, { size, sha256 }] of files) {
    const listed = manifest.get(name)
    if (listed?.size !== size || listed.sha256 !== sha256) {
      throw new Damaged(`"${name}" is not what its list says`)
    }
  }
  if (manifest.size !== files.size) throw new Damaged('files of its list are missing')
}

/**
 * @param take gets each file in turn; what it was given counts only when this resolves
 * @throws NotABackup, BadPassphrase, TooNew, Damaged
 */
export async function unpack(
  { sealed, passphrase }: Sealed,
  take: (file: PackedFile) => Promise<void>,
  signal: AbortSignal,
): Promise<Whole> {
  const files = new Map<string, Listed>()
  let head: Head | undefined
  let manifest: Map<string, Listed> | undefined
  let bytes = 0
  let small = 0
  for await (const { name, size, content } of readTar(unseal(sealed, passphrase))) {
    signal.throwIfAborted()
    if (manifest) throw new Damaged('it has files after its list')
    if (!head && name !== 'backup.json') throw new NotABackup('it does not begin with backup.json')
    if (files.has(name)) throw new Damaged(`it holds "${name}" twice`)
    if (files.size >= MAX_FILES) throw new Damaged('it holds too many files')
    const { part, rest } = partOf(name)
    if (size > maxBytes(part)) throw new Damaged(`"${name}" is too large`)
    if (part === 'state' && ++small > MAX_SMALL_FILES) throw new Damaged('it holds too many keys')
    const hash = createHash('sha256')
    async function* hashed(): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const piece of content) {
        signal.throwIfAborted()
        hash.update(piece)
        yield piece
      }
    }
    const watched = hashed()
    if (part === 'head') head = readHeadFile(await gather(watched))
    else if (part === 'manifest') {
      manifest = readManifest(await gather(watched))
      continue
    } else if (head) await take({ part, name, rest, size, content: watched })
    // What was not taken is checked all the same.
    for await (const _ of watched);
    files.set(name, { name, size, sha256: hash.digest('hex') })
    bytes += size
  }
  if (!head || !manifest) throw new Damaged('it has no list of its files')
  compare(files, manifest)
  return { head, files, bytes }
}
