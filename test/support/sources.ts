/** The project as text: what the architecture tests read. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Files below `folder` (relative to the root) with this ending, sorted, relative to the root. */
export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort()
}

export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** Room folders: `src/engines/dht` and its neighbours. */
export function rooms(): string[] {
  return ['engines', 'services', 'edges'].flatMap((wing) =>
    readdirSync(join(ROOT, 'src', wing), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `src/${wing}/${entry.name}`),
  )
}
