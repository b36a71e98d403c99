/** What a folder holds, looked at without reading it: bounded, in one order, never outside of it. */
import { createHash } from 'node:crypto'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import { toHex, utf8Text } from '../../base/bytes.ts'
import { codeOf } from '../../base/errors.ts'
import { BadFolder, BadName, TooManyFiles } from './errors.ts'
import { faultOfName, MAX_DEPTH } from './name-rules.ts'

export interface FoundFile {
  /** Path components below the folder. */
  path: string[]
  /** Where its bytes are; the target of a symbolic link. */
  place: string
  length: number
  /** Changes with the file's inode, size and times. */
  mark: string
}

export interface FoundFolder {
  /** In bytewise order of their paths. */
  files: FoundFile[]
  /** Every folder to watch, the top first. */
  folders: string[]
  /** Left out: sockets, devices, links that lead out of the folder or nowhere. */
  skipped: string[]
  /** Changes with any name, size, time or inode below the folder. */
  fingerprint: string
}

interface Walk {
  top: string
  maxFiles: number
  found: FoundFolder
  marks: string[]
  signal: AbortSignal | undefined
}

function nameOf(raw: Buffer, folder: string): string {
  const name = utf8Text(raw)
  if (name === undefined) throw new BadName(join(folder, raw.toString()), 'a name is not UTF-8')
  const fault = faultOfName(name)
  if (fault !== undefined) throw new BadName(join(folder, name), fault)
  return name
}

/** Where a symbolic link leads, if that is inside the folder. */
async function resolveInside(walk: Walk, place: string): Promise<string | undefined> {
  try {
    const target = await realpath(place)
    return target.startsWith(walk.top + sep) ? target : undefined
  } catch {
    return undefined
  }
}

/** @param above real paths of the folders this one is in: a link to one of them would have no end */
async function visit(walk: Walk, path: string[], place: string, above: string[]): Promise<void> {
  walk.signal?.throwIfAborted()
  const entry = await lstat(place)
  const target = entry.isSymbolicLink() ? await resolveInside(walk, place) : place
  const found = target === undefined ? undefined : target === place ? entry : await stat(target)
  if (target !== undefined && found?.isFile()) {
    if (walk.found.files.length >= walk.maxFiles) throw new TooManyFiles(walk.top, walk.maxFiles)
    const mark = [found.dev, found.ino, found.size, found.mtimeMs].join(':')
    walk.found.files.push({ path, place: target, length: found.size, mark })
    walk.marks.push(`${path.join('/')}\0${mark}`)
  } else if (target !== undefined && found?.isDirectory() && !above.includes(target)) {
    await visitFolder(walk, path, target, above)
  } else {
    walk.found.skipped.push(path.join('/'))
  }
}

async function visitFolder(
  walk: Walk,
  path: string[],
  place: string,
  above: string[],
): Promise<void> {
  if (path.length >= MAX_DEPTH)
    throw new BadFolder(place, `nested deeper than ${MAX_DEPTH} folders`)
  if (walk.found.folders.length > walk.maxFiles) throw new TooManyFiles(walk.top, walk.maxFiles)
  walk.found.folders.push(place)
  for (const raw of await readdir(place, { encoding: 'buffer' })) {
    const name = nameOf(raw, place)
    try {
      await visit(walk, [...path, name], join(place, name), [...above, place])
    } catch (error) {
      // Gone between the listing and the look, as editors' temporary files are.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}

function byPath(files: FoundFile[]): FoundFile[] {
  const keyed = files.map((file) => ({ file, key: Buffer.from(file.path.join('/')) }))
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ file }) => file)
}

/** @throws BTL_ERR_PUBLISH_BAD_FOLDER, BTL_ERR_PUBLISH_BAD_NAME, BTL_ERR_PUBLISH_TOO_MANY_FILES */
export async function walkFolder(
  folder: string,
  maxFiles: number,
  signal?: AbortSignal,
): Promise<FoundFolder> {
  let top: string
  try {
    top = await realpath(folder)
    if (!(await stat(top)).isDirectory()) throw new BadFolder(folder, 'it is no folder')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') throw new BadFolder(folder, 'it does not exist', { cause: error })
    if (code === 'EACCES') throw new BadFolder(folder, 'it may not be read', { cause: error })
    throw error
  }
  const found: FoundFolder = { files: [], folders: [], skipped: [], fingerprint: '' }
  const walk: Walk = { top, maxFiles, found, marks: [], signal }
  await visitFolder(walk, [], top, [])
  found.files = byPath(found.files)
  const marks = createHash('sha1').update(walk.marks.sort().join('\n'))
  found.fingerprint = `${basename(top)}:${toHex(marks.digest())}`
  return found
}
