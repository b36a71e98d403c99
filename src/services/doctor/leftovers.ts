/** Files that somebody began to write and never finished: a crash, a power cut, a full disk. */
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Facts } from './ports.ts'

export interface Leftover {
  path: string
  bytes: number
}

/** What rooms call a file until it is whole; nothing else in the state has such a name. */
const UNFINISHED = [
  /^\.(?:link|new|old|put|tmp)-[\w-]{12}$/,
  /^\.(?:new|gone)-[0-9a-f]{16}$/,
  /^[\w.-]+\.(?:json|benc|yaml)\.(?:\d+\.)?tmp$/,
]
/** Longer than any upload takes. */
const UNFINISHED_MS = 24 * 3_600_000
const MAX_LEFTOVERS = 10_000
const MAX_DEPTH = 3

async function* below(folder: string, depth: number, signal: AbortSignal): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    signal.throwIfAborted()
    const path = join(folder, entry.name)
    if (UNFINISHED.some((name) => name.test(entry.name))) yield path
    else if (entry.isDirectory() && depth > 0) yield* below(path, depth - 1, signal)
  }
}

/** Those that are a day old at least: nobody is still at work on them. */
export async function sweepable(
  { stateDir, blobs, torrents }: Pick<Facts, 'stateDir' | 'blobs' | 'torrents'>,
  now: number,
  signal: AbortSignal,
): Promise<Leftover[]> {
  const found = new Map<string, Leftover>()
  for (const folder of new Set([stateDir, blobs, torrents])) {
    for await (const path of below(folder, MAX_DEPTH, signal)) {
      const stat = await lstat(path).catch(() => undefined)
      if (!stat || now - stat.mtimeMs < UNFINISHED_MS) continue
      found.set(path, { path, bytes: stat.isFile() ? stat.blocks * 512 : 0 })
      if (found.size >= MAX_LEFTOVERS) return [...found.values()]
    }
  }
  return [...found.values()]
}
