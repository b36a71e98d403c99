/** `backup` of a disk that takes no more writes, and given up in the middle. */
import assert from 'node:assert/strict'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EMPTY } from '../../../src/base/bytes.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import { makeStore } from '../../engines/store/open-store.ts'
import { withoutNetns } from '../../support/household.ts'
import { output, start } from '../../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { backedUpBox } from './backed-up-box.ts'
import { env, LAUNCH } from './state-at-rest.ts'

const never = new AbortController().signal

/** A card at its end; gives how to end that. */
async function readOnly(t: Cleanup, folder: string): Promise<() => Promise<void>> {
  await output('/usr/bin/mount', ['--bind', folder, folder])
  let isMounted = true
  const unmount = async () => {
    if (isMounted) await output('/usr/bin/umount', ['-l', folder])
    isMounted = false
  }
  finallyDo(t, unmount)
  await output('/usr/bin/mount', ['-o', 'remount,bind,ro', folder])
  return unmount
}

describe('btlinkd backup, of a disk that became read-only', { skip: withoutNetns() }, () => {
  it('makes one all the same, with what the log of the database holds (R20)', async (t) => {
    const one = await backedUpBox(t)
    // Whoever had it open has it open still, and the log was not read into the database.
    const store = makeStore(one.state)
    await store.start(never)
    store.sites.visited(publicKey('88'.repeat(32)), EMPTY, 1)
    const unmount = await readOnly(t, one.state)
    const made = await one.backup('create', one.file, '--include-sites')
    assert.equal(made.code, 0, made.stderr)
    await unmount()
    await store.stop()
    const verified = await one.backup('verify', one.file, '--json')
    assert.equal(verified.code, 0, verified.stderr)
    const view = JSON.parse(verified.stdout) as Record<string, unknown>
    assert.deepEqual([view['keys'], view['visited']], [['home'], 2])
    const here = (await readdir(tmpdir())).filter((name) => name.startsWith('btlinkd-backup-'))
    assert.deepEqual(here, [])
  })

  it('leaves nothing half done behind where it is given up: no file, and no copy that anybody may read', async (t) => {
    const one = await backedUpBox(t)
    await readOnly(t, one.state)
    const scratch = await tempFolder(t, 'scratch')
    const begin = (...args: string[]) =>
      start(
        t,
        process.execPath,
        [
          LAUNCH,
          'backup',
          ...args,
          one.file,
          '--state',
          one.state,
          '--passphrase-file',
          one.secret,
        ],
        { cwd: one.state, env: { ...env, TMPDIR: scratch } },
      )
    const create = begin('create')
    await until('a file to be begun', async () =>
      (await readdir(one.away)).some((name) => name.endsWith('.new')),
    )
    create.kill('SIGINT')
    assert.equal(await create.exited, 1)
    assert.match(create.output(), /given up/)
    assert.deepEqual([await readdir(one.away), await readdir(scratch)], [['secret'], []])

    assert.equal((await one.backup('create', one.file)).code, 0)
    const verify = begin('verify')
    await until('a folder to be made', async () => (await readdir(scratch)).length > 0)
    verify.kill('SIGTERM')
    assert.equal(await verify.exited, 1)
    assert.deepEqual(await readdir(scratch), [])
  })

  it('takes the last copy of the database where that is damaged, and says so where there is none', async (t) => {
    const one = await backedUpBox(t)
    const store = makeStore(one.state)
    await store.start(never)
    await store.snapshot()
    await store.stop()
    await writeFile(join(one.state, 'state.db'), Buffer.alloc(8192, 'x'))
    const unmount = await readOnly(t, one.state)
    const made = await one.backup('create', one.file)
    assert.equal(made.code, 0, made.stderr)
    const verified = await one.backup('verify', one.file, '--json')
    assert.equal((JSON.parse(verified.stdout) as Record<string, unknown>)['visited'], 1)
    await unmount()
    await rm(join(one.state, 'state.db.snapshot'))
    await readOnly(t, one.state)
    const refused = await one.backup('create', one.file)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /state\.db/)
  })
})
