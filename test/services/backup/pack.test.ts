import assert from 'node:assert/strict'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { backupOf, makeBox, restoreInto } from './box.ts'

describe('a backup that no box would take', () => {
  const odd: Record<string, [RegExp, (path: string) => Promise<unknown>]> = {
    'a pipe': [/no plain file/, (path) => output('mkfifo', [path])],
    'a sparse file of 10 GB': [
      /has 10.*more than/,
      (path) => writeFile(path, '').then(() => truncate(path, 10 * 1024 ** 3)),
    ],
    'a key of zeros after a lost write': [
      /is damaged: restore it/,
      (path) => writeFile(path, Buffer.alloc(65)),
    ],
    'an empty key': [/is damaged/, (path) => writeFile(path, '')],
  }
  for (const [what, [why, make]] of Object.entries(odd)) {
    it(`is not made of ${what}, which is named (R20)`, async (t) => {
      const state = await tempFolder(t)
      const box = await makeBox(state, 'home')
      const path = join(state, 'keys', 'other.key')
      await make(path)
      await assert.rejects(backupOf(box), (error: Error) => {
        assert.match(error.message, /cannot back up .*other\.key: /)
        assert.match(error.message, why)
        return true
      })
      await rm(path)
      await backupOf(box)
    })
  }

  it('is not made of a configuration that is too long', async (t) => {
    const box = await makeBox(await tempFolder(t), 'home')
    const config = `# ${'x'.repeat(5 * 1024 * 1024)}\n`
    await assert.rejects(backupOf(box, { config }), { code: 'BTL_ERR_BACKUP_UNREADABLE' })
  })
})

it('a restore does not wait for a pipe among the keys', async (t) => {
  const home = await tempFolder(t)
  const backup = await backupOf(await makeBox(join(home, 'new'), 'new'))
  await makeBox(join(home, 'old'), 'old')
  await output('mkfifo', [join(home, 'old', 'keys', 'pipe.key')])
  const { former } = await restoreInto(join(home, 'old'), backup)
  assert.match(former ?? '', /before-restore-/)
})
