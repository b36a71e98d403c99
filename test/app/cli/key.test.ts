/** Keys that root makes for a daemon of another user. */
import assert from 'node:assert/strict'
import { chown, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'

const NOBODY = 65_534
const LAUNCH = 'src/app/launch.mjs'
const key = (state: string, ...args: string[]) =>
  output(process.execPath, [LAUNCH, 'key', ...args, '--state', state])

describe('btlinkd key', () => {
  it('gives what root makes to the owner of the state', { skip: getuid?.() !== 0 }, async (t) => {
    const outer = await tempFolder(t, 'btl-key')
    await chown(outer, NOBODY, NOBODY)
    const state = join(outer, 'state')
    await mkdir(state)
    await chown(state, NOBODY, NOBODY)
    await key(state, 'new', 'one')
    const seed = await key(state, 'export', 'one')
    await key(state, 'import', 'two', seed.trim())
    await key(state, 'vanity', '', '--seconds', '1', '--save', 'three')
    const names = (await readdir(join(state, 'keys'))).toSorted()
    assert.deepEqual(names, ['one.key', 'three.key', 'two.key'])
    for (const name of ['', ...names]) {
      const { uid, gid, mode } = await stat(join(state, 'keys', name))
      assert.deepEqual([uid, gid], [NOBODY, NOBODY], name)
      if (name !== '') assert.equal(mode & 0o777, 0o600)
    }
  })

  it('makes the state folder where there is none', async (t) => {
    const state = join(await tempFolder(t, 'btl-key'), 'not', 'yet')
    await key(state, 'new', 'one')
    assert.deepEqual(await readdir(join(state, 'keys')), ['one.key'])
  })
})
