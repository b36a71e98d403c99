/**
 * Which files an extension has: its programs, and every library that they, and these in turn, ask for and
 * the base has not. Whole packages would bring what is only opened where there is a screen: the drivers of
 * graphics cards and a compiler are two thirds of what ffmpeg depends on.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { neededBy } from './elf.ts'

export interface ContentsInput {
  /** Root of a tree with the unpacked packages. */
  tree: string
  /** Paths of programs in it. */
  programs: readonly string[]
  /** Folder of libraries in both: `usr/lib/x86_64-linux-gnu`. */
  libraries: string
  /** Names in the base's folder of libraries. */
  base: ReadonlySet<string>
}

export interface Contents {
  /** Paths in the tree to be taken as they are, symbolic links among them. */
  files: string[]
  /** Symbolic links to be made, by path: libraries outside of the folder ld.so looks in. */
  links: Map<string, string>
  /** Names nobody has, with who asks for them. */
  missing: Map<string, string>
}

/** Every name below `usr/lib` of the tree to its path; the folder ld.so looks in wins. */
async function indexOf(tree: string, libraries: string): Promise<Map<string, string>> {
  const entries = await readdir(join(tree, 'usr/lib'), { withFileTypes: true, recursive: true })
  const index = new Map<string, string>()
  for (const entry of entries) {
    if (entry.isDirectory() || !entry.name.includes('.so')) continue
    const path = join(relative(tree, entry.parentPath), entry.name)
    // For newer processors only.
    if (path.includes('/glibc-hwcaps/')) continue
    if (dirname(path) === libraries || !index.has(entry.name)) index.set(entry.name, path)
  }
  return index
}

export async function contentsOf(input: ContentsInput): Promise<Contents> {
  const { tree, libraries, base } = input
  const index = await indexOf(tree, libraries)
  const files = new Set<string>()
  const links = new Map<string, string>()
  const missing = new Map<string, string>()
  const queue = [...input.programs]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (files.has(path)) continue
    files.add(path)
    const target = await readlink(join(tree, path)).catch(() => undefined)
    if (target !== undefined) {
      queue.push(join(dirname(path), target))
      continue
    }
    for (const name of neededBy(await readFile(join(tree, path))) ?? []) {
      if (base.has(name)) continue
      const found = index.get(name)
      if (found === undefined) {
        missing.set(name, path)
        continue
      }
      // Where Debian chooses among several by links in /etc, which an extension has none of.
      if (dirname(found) !== libraries)
        links.set(join(libraries, basename(found)), relative(libraries, found))
      queue.push(found)
    }
  }
  return { files: [...files].sort(), links, missing }
}
