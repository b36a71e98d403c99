/** Writes the generated pages of docs/; with `--check` says which of them are out of date. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { argv, env, execPath, exit, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { errorsPage } from '../test/support/declared-errors.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const btlinkd = (...args) =>
  execFileSync(execPath, ['src/app/launch.mjs', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...env, BTL_RUN_SOURCES: '1' },
  })

const pages = {
  'docs/errors.md': errorsPage,
  'docs/configuration.md': () => btlinkd('config', 'reference'),
  'docs/btlinkd.sample.yaml': () => btlinkd('config', 'sample'),
  'docs/btlinkd.schema.json': () => btlinkd('config', 'schema'),
}

let stale = 0
for (const [page, render] of Object.entries(pages)) {
  const file = join(root, page)
  const text = render()
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
  if (argv.includes('--check')) {
    stale++
    stdout.write(`${page} is out of date: npm run docs\n`)
  } else {
    writeFileSync(file, text)
    stdout.write(`wrote ${page}\n`)
  }
}
exit(stale === 0 ? 0 : 1)
