import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, mock } from 'node:test'
import { dropUndecided, finishSwap } from '../../../src/services/backup/index.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { backupOf, makeBox, restoreInto } from './box.ts'

/** A state whose owner wrote a plan, beside a folder that is another's. */
async function written(t: Cleanup, folder: 'swap.ready' | 'swap.new') {
  const home = await tempFolder(t)
  const state = join(home, 'state')
  const etc = join(home, 'etc')
  const config = join(etc, 'btlinkd.yaml')
  await mkdir(join(state, folder, 'new'), { recursive: true })
  await mkdir(join(etc, 'cron.d'), { recursive: true })
  await writeFile(config, 'log: {}\n')
  await writeFile(join(etc, 'shadow'), 'secrets')
  await writeFile(join(state, 'evil'), 'evil')
  const plan = (value: unknown) =>
    writeFile(join(state, folder, 'plan.json'), JSON.stringify(value))
  const places = { database: join(state, 'state.db'), config }
  return { state, etc, config, plan, places }
}

describe('a plan that the owner of the state wrote', () => {
  const hostile: Record<string, (state: string, etc: string) => object> = {
    'places a file elsewhere': (state, etc) => ({
      away: [],
      place: [{ from: join(state, 'evil'), to: join(etc, 'cron.d', 'evil') }],
    }),
    'places another file as the configuration': (state, etc) => ({
      away: [],
      place: [{ from: join(state, 'evil'), to: join(etc, 'btlinkd.yaml') }],
    }),
    'takes a file from elsewhere': (state, etc) => ({
      away: [{ from: join(etc, 'shadow'), to: join(state, 'keys') }],
      place: [],
    }),
    'climbs out of the state': (state) => ({
      away: [],
      place: [{ from: `${state}/swap.ready/new/keys`, to: `${state}/../etc/cron.d/keys` }],
    }),
    'goes through a link': (state) => ({
      away: [{ from: join(state, 'keys'), to: join(state, 'before-restore-1', 'keys') }],
      place: [],
    }),
    'names a folder of the former state elsewhere': (_, etc) => ({
      former: etc,
      away: [],
      place: [],
    }),
    'is no plan': () => ({ away: [{ from: 1 }], place: 'x' }),
  }
  for (const [what, planOf] of Object.entries(hostile)) {
    it(`and that ${what} is not carried out by root (R20)`, async (t) => {
      const { state, etc, plan, places } = await written(t, 'swap.ready')
      await mkdir(join(state, 'keys'))
      await mkdir(join(state, 'swap.ready', 'new', 'keys'))
      await symlink(join(etc, 'cron.d'), join(state, 'before-restore-1'))
      await plan(planOf(state, etc))
      await assert.rejects(finishSwap(state, places), { code: 'BTL_ERR_BACKUP_UNFINISHED' })
      assert.deepEqual(await readdir(join(etc, 'cron.d')), [])
      assert.equal(await readFile(join(etc, 'shadow'), 'utf8'), 'secrets')
      assert.equal(await readFile(join(etc, 'btlinkd.yaml'), 'utf8'), 'log: {}\n')
    })
  }

  it('has root remove nothing elsewhere, where it was not decided on (R20)', async (t) => {
    const { state, etc, plan, places } = await written(t, 'swap.new')
    const shadow = join(etc, 'shadow')
    await plan({ former: etc, away: [], place: [{ from: shadow, to: shadow }] })
    await dropUndecided(state, places)
    assert.equal(await readFile(shadow, 'utf8'), 'secrets')
    assert.ok(!existsSync(join(state, 'swap.new')))
  })

  it('has root write through no link', async (t) => {
    const { state, etc, plan, places } = await written(t, 'swap.ready')
    await symlink(join(etc, 'nologin'), join(state, 'swap.ready', 'moved'))
    await plan({ away: [], place: [] })
    await assert.rejects(finishSwap(state, places), { code: 'BTL_ERR_BACKUP_UNFINISHED' })
    assert.ok(!existsSync(join(etc, 'nologin')))
  })
})

it('a leftover in the folder of the configuration is removed by who may', async (t) => {
  const { state, config, plan, places } = await written(t, 'swap.new')
  await writeFile(`${config}.restoring`, 'half')
  await plan({ away: [], place: [{ from: `${config}.restoring`, to: config }] })
  let lent = 0
  await dropUndecided(state, places, async (work) => {
    lent++
    await work()
  })
  assert.equal(lent, 1)
  assert.ok(!existsSync(`${config}.restoring`))
})

it('a restore while the clock stands keeps what the one before put aside (R20)', async (t) => {
  const home = await tempFolder(t)
  const state = join(home, 'old')
  await makeBox(state, 'old')
  const backup = await backupOf(await makeBox(join(home, 'new'), 'new'))
  mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  t.after(() => mock.timers.reset())
  const first = await restoreInto(state, backup)
  const second = await restoreInto(state, backup)
  assert.notEqual(first.former, second.former)
  assert.deepEqual(await readdir(join(first.former ?? '', 'keys')), ['old.key'])
  assert.deepEqual(await readdir(join(second.former ?? '', 'keys')), ['new.key'])
})
