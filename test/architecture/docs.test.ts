import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { filesBelow, read, ROOT } from '../support/sources.ts'

describe('the documentation', () => {
  it('has generated pages that say what the source says', async () => {
    const { code, stdout, stderr } = await run(process.execPath, ['.ci/docs.mjs', '--check'], {
      cwd: ROOT,
    })
    assert.equal(code, 0, stdout + stderr)
  })

  it('links to nothing that is not there', () => {
    const pages = [
      'README.md',
      'CHANGELOG.md',
      'bench/README.md',
      ...filesBelow('docs', '.md'),
      ...filesBelow('src', '.md'),
    ]
    const dead = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((link) => !/^[a-z]+:/.test(link))
        .filter((link) => !existsSync(join(ROOT, dirname(page), link)))
        .map((link) => `${page}: ${link}`),
    )
    assert.deepEqual(dead, [])
  })

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const pages = ['README.md', 'bench/README.md', ...filesBelow('docs', '.md')]
    const unknown = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run ([\w:-]+)/g)]
        .map((match) => match[1] ?? '')
        .filter((script) => !(script in scripts))
        .map((script) => `${page}: npm run ${script}`),
    )
    assert.deepEqual(unknown, [])
  })

  it('names only benches that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const gone = Object.values(scripts)
      .map((script) => /^node (bench\/\S+)$/.exec(script)?.[1])
      .filter((file) => file !== undefined && !existsSync(join(ROOT, file)))
    assert.deepEqual(gone, [])
  })
})
