/** What tsc leaves behind in `src/`: copied for the compiled tree of a checkout and for that of the package. */
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'

export function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

/** Pages, styles, SQL, the launcher. */
export function copyAssets(from, to) {
  for (const file of filesUnder(from)) {
    if (extname(file) === '.ts' || extname(file) === '.md') continue
    const target = join(to, relative(from, file))
    mkdirSync(dirname(target), { recursive: true })
    cpSync(file, target)
  }
}
