/** The files of a torrent as folders, for lookups by path. */
import type { Metainfo, TorrentFile } from '../../base/metainfo/metainfo.ts'

/** The folder of every site that is the box's own. */
export const RESERVED_NAME = '.btlink'

export interface Folder {
  files: Map<string, TorrentFile>
  folders: Map<string, Folder>
  /** Bytes of everything below. */
  length: number
}

export interface Found {
  file?: TorrentFile
  folder?: Folder
}

const emptyFolder = (): Folder => ({ files: new Map(), folders: new Map(), length: 0 })

function insert(root: Folder, file: TorrentFile): void {
  let folder = root
  folder.length += file.length
  for (const name of file.path.slice(0, -1)) {
    let next = folder.folders.get(name)
    if (!next) {
      next = emptyFolder()
      folder.folders.set(name, next)
    }
    next.length += file.length
    folder = next
  }
  const name = file.path.at(-1)
  if (name !== undefined) folder.files.set(name, file)
}

/**
 * Pad files are left out: they are no content (BEP 47). So is what lies under the reserved path: no
 * `_redirects` may lead to it. The torrent's name is no part of paths.
 */
export function buildTree(metainfo: Metainfo): Folder {
  const root = emptyFolder()
  for (const file of metainfo.files) {
    if (!file.isPad && file.path[0] !== RESERVED_NAME) insert(root, file)
  }
  return root
}

/** What stands at a path: a file, a folder, both (a hostile torrent), or nothing. */
export function find(root: Folder, segments: readonly string[]): Found {
  let folder: Folder | undefined = root
  for (const name of segments.slice(0, -1)) {
    folder = folder?.folders.get(name)
    if (!folder) return {}
  }
  const last = segments.at(-1)
  if (last === undefined) return { folder: root }
  const file = folder.files.get(last)
  const below = folder.folders.get(last)
  return { ...(file && { file }), ...(below && { folder: below }) }
}

/** Every file below, depth first, with its path from here. */
export function* walk(
  folder: Folder,
  prefix: readonly string[] = [],
): Generator<{ path: readonly string[]; file: TorrentFile }> {
  for (const [name, file] of folder.files) yield { path: [...prefix, name], file }
  for (const [name, next] of folder.folders) yield* walk(next, [...prefix, name])
}
