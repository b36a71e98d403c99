import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { filesBelow, ROOT } from '../support/sources.ts'

interface Cruise {
  modules: { source: string }[]
  summary: { error: number; violations: { rule: { name: string }; from: string; to: string }[] }
}

describe('the rings', () => {
  it('import downwards, through doors, without cycles, in every module there is', async () => {
    const { stdout } = await run(
      process.execPath,
      [
        'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
        'src',
        '--config=.dependency-cruiser.cjs',
        '--output-type=json',
      ],
      { cwd: ROOT },
    )
    const { modules, summary } = JSON.parse(stdout) as Cruise
    const seen = new Set(modules.map((module) => module.source))
    const unseen = filesBelow('src', '.ts').filter(
      (file) => !file.endsWith('.d.ts') && !seen.has(file),
    )
    assert.deepEqual(unseen, [], 'files the cruiser did not look at')
    assert.ok(seen.size > 100, `the cruiser saw only ${seen.size} modules`)
    assert.deepEqual(
      summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
      [],
    )
    assert.equal(summary.error, 0)
  })
})
