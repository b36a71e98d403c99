import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createHouseClock, type HouseClock } from '../../../src/engines/clock/index.ts'
import { EARLIEST } from '../../../src/base/sound-time.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

const DAY = 86_400_000
const BUILT = EARLIEST + 30 * DAY
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

interface Machine {
  house: HouseClock
  set: (ms: number) => void
  at: (name: string) => string
  /** Writes a file of the machine, at a time. */
  put: (name: string, ms: number, text?: string) => Promise<void>
  again: () => Promise<HouseClock>
}

async function machine(t: Cleanup, now: number): Promise<Machine> {
  const root = await tempFolder(t, 'clock')
  const at = (name: string) => join(root, name)
  let time = now
  const put = async (name: string, ms: number, text = '') => {
    await writeFile(at(name), text)
    await utimes(at(name), ms / 1000, ms / 1000)
  }
  await put('package.json', BUILT)
  const make = async () => {
    const house = createHouseClock({
      clock: { now: () => time },
      log: quiet,
      file: at('clock'),
      builtFile: at('package.json'),
      places: {
        epoch: at('epoch'),
        saved: at('saved'),
        synchronized: at('timesync/synchronized'),
        timesync: at('timesync'),
        booted: at('booted'),
        timedatectl: at('timedatectl'),
      },
    })
    finallyDo(t, () => house.stop())
    await house.start(new AbortController().signal)
    return house
  }
  return {
    house: await make(),
    at,
    put,
    again: make,
    set(ms) {
      time = ms
    },
  }
}

describe("the box's clock (R22)", () => {
  it('is unset in 1970, decades ahead, and before the package was built', async (t) => {
    const { house, set } = await machine(t, 0)
    for (const now of [0, BUILT - DAY, EARLIEST - 5 * 365 * DAY, Date.UTC(2070, 0, 1)]) {
      set(now)
      assert.equal(house.view().state, 'unset', new Date(now).toISOString())
      const health = await house.health()
      assert.equal(health.status, 'degraded')
      assert.match(health.detail ?? '', /^the clock says \d{4}-\d\d-\d\d, and it is 20\d\d-/)
    }
    assert.equal(house.stats()['state_unset'], 1)
  })

  it('stands on the latest of what is known to have passed', async (t) => {
    const { house, set, put } = await machine(t, BUILT + DAY)
    assert.deepEqual([house.view().state, house.view().floor], ['floor', BUILT])
    await put('epoch', BUILT + 2 * DAY)
    assert.equal(house.view().state, 'unset')
    await put('saved', BUILT + 3 * DAY)
    assert.equal(house.view().floor, BUILT + 3 * DAY)
    set(BUILT + 3 * DAY - 1000)
    assert.equal(house.view().state, 'floor', 'a second is forgiven')
  })

  it('is doubtful only where something could have confirmed it', async (t) => {
    const { house, at } = await machine(t, BUILT + DAY)
    assert.equal(house.time.isDoubtful?.(), false)
    assert.deepEqual(await house.health(), { status: 'ok', score: 100 })
    await mkdir(at('timesync'))
    assert.equal(house.time.isDoubtful?.(), true)
    const health = await house.health()
    assert.deepEqual([health.status, health.score], ['ok', 90])
    await writeFile(at('timesync/synchronized'), '')
    assert.equal(house.view().state, 'synced')
    assert.equal(house.time.isDoubtful?.(), false)
    assert.equal(house.stats()['state_synced'], 1)
  })

  it('keeps the last confirmed time over a start, and no other', async (t) => {
    const box = await machine(t, BUILT + 9 * DAY)
    await assert.rejects(readFile(box.at('clock')), { code: 'ENOENT' })
    await mkdir(box.at('timesync'))
    await writeFile(box.at('timesync/synchronized'), '')
    await box.again()
    assert.equal(
      await readFile(box.at('clock'), 'utf8'),
      `${new Date(BUILT + 9 * DAY).toISOString()}\n`,
    )
    box.set(BUILT + DAY)
    await rm(box.at('timesync/synchronized'))
    const next = await box.again()
    assert.deepEqual([next.view().state, next.view().floor], ['unset', BUILT + 9 * DAY])
    assert.deepEqual(
      (await readdir(box.at('.'))).filter((entry) => entry.startsWith('.clock')),
      [],
    )
  })

  it('believes a time server more than files from a day when it was years ahead', async (t) => {
    const { house, put, at } = await machine(t, BUILT + DAY)
    await put('saved', BUILT + 5 * 365 * DAY)
    assert.equal(house.view().state, 'unset')
    await mkdir(at('timesync'))
    await writeFile(at('timesync/synchronized'), '')
    assert.deepEqual([house.view().state, house.view().floor], ['synced', BUILT + DAY])
  })

  it('asks the kernel where another program keeps the time', async (t) => {
    const box = await machine(t, BUILT + DAY)
    await mkdir(box.at('booted'))
    for (const [answer, state, doubtful] of [
      ['yes', 'synced', false],
      ['no', 'floor', true],
      ['maybe', 'floor', false],
    ] as const) {
      await writeFile(box.at('timedatectl'), `#!/bin/sh\necho ${answer}\n`)
      await chmod(box.at('timedatectl'), 0o755)
      const house = await box.again()
      assert.deepEqual([house.view().state, house.time.isDoubtful?.()], [state, doubtful])
    }
  })

  it('takes any file in the place of the kept time', async (t) => {
    const box = await machine(t, BUILT + DAY)
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.date().map(String)), async (text) => {
        await writeFile(box.at('clock'), text)
        const house = await box.again()
        assert.equal(house.view().state, 'floor')
        await house.stop()
      }),
      { numRuns: 30 },
    )
  })
})
