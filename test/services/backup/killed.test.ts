import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  dropUndecided,
  finishSwap,
  isDecided,
  resetFactory,
} from '../../../src/services/backup/index.ts'
import { storePaths } from '../../../src/engines/store/index.ts'
import { storageConfig } from '../../engines/store/open-store.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'
import { backupOf, makeBox, restoreInto, titlesOf } from './box.ts'

const CHANGES = ['rename', 'mkdir', 'rm', 'open'] as const

/**
 * Runs `work` until its change number `last` of the disk, which never comes: what is on the disk then is
 * what a kill at that moment leaves.
 * @returns whether it got that far
 */
async function until(last: number, work: () => Promise<unknown>): Promise<boolean> {
  const real = { ...files }
  let count = 0
  const reached = Promise.withResolvers<true>()
  for (const name of CHANGES) {
    const change = real[name] as (...args: unknown[]) => Promise<unknown>
    Object.assign(files, {
      [name]: (...args: unknown[]) => {
        if (count++ < last) return change(...args)
        reached.resolve(true)
        return new Promise(() => {})
      },
    })
  }
  syncBuiltinESMExports()
  try {
    return await Promise.race([reached.promise, work().then(() => false)])
  } finally {
    Object.assign(files, real)
    syncBuiltinESMExports()
  }
}

/** Killed before each change in turn, and then settled as a start of the daemon does it. */
async function killEverywhere(
  fresh: () => Promise<string>,
  work: (state: string) => Promise<unknown>,
  look: (state: string, wasDecided: boolean, last: number) => Promise<void>,
): Promise<number> {
  for (let last = 0; ; last++) {
    const state = await fresh()
    const isKilled = await until(last, () => work(state))
    const wasDecided = await isDecided(state)
    await finishSwap(state)
    await dropUndecided(state)
    await look(state, wasDecided, last)
    if (!isKilled) return last
  }
}

describe('a restore', () => {
  it('killed before any change of the disk leaves the old box or the new one (R20)', async (t) => {
    const home = await tempFolder(t)
    await makeBox(join(home, 'old'), 'old')
    const backup = await backupOf(await makeBox(join(home, 'new'), 'new'), { config: 'log: {}\n' })
    const seen = new Set<string>()
    let copies = 0
    const changes = await killEverywhere(
      async () => {
        const state = join(home, `copy-${copies++}`)
        await cp(join(home, 'old'), state, { recursive: true })
        return state
      },
      (state) => restoreInto(state, backup),
      async (state, wasDecided, last) => {
        const titles = await titlesOf(state)
        assert.equal(titles.length, 1, `a mix of ${titles.join(' and ')} before change ${last}`)
        seen.add(titles.join())
        if (wasDecided) assert.deepEqual(titles, ['new'])
        const names = await readdir(state)
        const left = names.filter((name) => /^swap|restoring/.test(name))
        assert.deepEqual(left, [], `left before change ${last}`)
        if (titles[0] === 'old') assert.ok(!names.some((name) => name.startsWith('before-')))
      },
    )
    assert.deepEqual([...seen].sort(), ['new', 'old'])
    assert.ok(changes > 40, `${changes} changes`)
  })

  it('killed while it is carried through is carried through by the next start', async (t) => {
    const home = await tempFolder(t)
    await makeBox(join(home, 'old'), 'old')
    const backup = await backupOf(await makeBox(join(home, 'new'), 'new'))
    const decided = join(home, 'decided')
    await cp(join(home, 'old'), decided, { recursive: true })
    for (let last = 0; !(await isDecided(decided)); last++) {
      await until(last, () => restoreInto(decided, backup))
      assert.ok(last < 500)
    }
    let copies = 0
    await killEverywhere(
      async () => {
        const state = join(home, `copy-${copies++}`)
        await cp(decided, state, { recursive: true })
        // Its plan names the folder it was made in.
        const plan = join(state, 'swap.ready', 'plan.json')
        await writeFile(plan, (await files.readFile(plan, 'utf8')).replaceAll(decided, state))
        return state
      },
      (state) => finishSwap(state),
      async (state) => assert.deepEqual(await titlesOf(state), ['new']),
    )
  })

  it('killed by a signal at any time leaves the old box or the new one (R20)', async (t) => {
    const home = await tempFolder(t)
    const old = join(home, 'old')
    await makeBox(old, 'old')
    await writeFile(join(home, 'backup'), await backupOf(await makeBox(join(home, 'new'), 'new')))
    for (const wait of [0, 30, 80, 120]) {
      const state = join(home, `after-${wait}`)
      await cp(old, state, { recursive: true })
      const child = spawn(
        process.execPath,
        [join(ROOT, 'test/services/backup/restore-child.ts'), state, join(home, 'backup')],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      const exit = once(child, 'exit')
      await once(child.stdout, 'data')
      await new Promise((done) => setTimeout(done, wait))
      child.kill('SIGKILL')
      await exit
      await finishSwap(state)
      await dropUndecided(state)
      const titles = await titlesOf(state)
      assert.ok(['old', 'new'].includes(titles.join()), titles.join())
    }
  })
})

it('a factory reset killed before any change leaves the old box or an empty folder (R20)', async (t) => {
  const home = await tempFolder(t)
  await makeBox(join(home, 'old'), 'old')
  let copies = 0
  const seen = new Set<string>()
  await killEverywhere(
    async () => {
      const state = join(home, `copy-${copies++}`)
      await cp(join(home, 'old'), state, { recursive: true })
      return state
    },
    (state) =>
      resetFactory({
        stateDir: state,
        database: join(state, 'state.db'),
        layout: storePaths({ ...storageConfig, stateDir: state }),
      }),
    async (state, _, last) => {
      const names = (await readdir(state)).filter((name) => name !== 'store')
      if (names.length > 0) assert.deepEqual(await titlesOf(state), ['old'], `change ${last}`)
      seen.add(names.length > 0 ? 'old' : 'empty')
    },
  )
  assert.deepEqual([...seen].sort(), ['empty', 'old'])
})
