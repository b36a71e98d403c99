/** What every Slots does: install into the slot that does not run, choose, and go back. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Slots } from '../../src/base/ports/slots.ts'
import type { Cleanup } from '../support/temp.ts'

export interface SlotsUnderTest {
  /** Runs 0.1.0, and has nothing beside it. */
  slots: Slots
  /** Puts the files of a version where `install` finds them. */
  deliver: (version: string) => Promise<void>
}

export function slotsCompliance(
  what: string,
  open: (t: Cleanup) => Promise<SlotsUnderTest>,
  options: { skip?: string | false } = {},
): void {
  const signal = new AbortController().signal
  const view = async (slots: Slots) =>
    (await slots.slots(signal)).map(({ version, boot, isRunning }) => [version, boot, isRunning])

  describe(`R19 ${what} as slots`, { skip: options.skip ?? false }, () => {
    it('says what runs', async (t) => {
      const { slots } = await open(t)
      assert.equal((await slots.image()).version, '0.1.0')
      assert.deepEqual(await view(slots), [['0.1.0', 'good', true]])
    })

    it('installs beside the version that runs, on trial', async (t) => {
      const { slots, deliver } = await open(t)
      await deliver('0.2.0')
      await slots.install('0.2.0', signal)
      const [fresh] = await slots.slots(signal)
      assert.deepEqual(fresh, { version: '0.2.0', isRunning: false, boot: 'trying', triesLeft: 2 })
      assert.deepEqual((await view(slots))[1], ['0.1.0', 'good', true])
    })

    it('puts the next version over the other one, never over the one that runs', async (t) => {
      const { slots, deliver } = await open(t)
      for (const version of ['0.2.0', '0.3.0']) {
        await deliver(version)
        await slots.install(version, signal)
      }
      assert.deepEqual(await view(slots), [
        ['0.3.0', 'trying', false],
        ['0.1.0', 'good', true],
      ])
    })

    it('gives up a newer version, and gives it its tries back', async (t) => {
      const { slots, deliver } = await open(t)
      await deliver('0.2.0')
      await slots.install('0.2.0', signal)
      await slots.select('0.1.0', signal)
      assert.deepEqual((await view(slots))[0], ['0.2.0', 'bad', false])
      await slots.select('0.2.0', signal)
      assert.deepEqual((await view(slots))[0], ['0.2.0', 'trying', false])
      assert.deepEqual((await view(slots))[1], ['0.1.0', 'good', true])
    })

    it('refuses what is not there, and what runs', async (t) => {
      const { slots } = await open(t)
      await assert.rejects(slots.select('9.9.9', signal), { code: 'BTL_ERR_SLOTS_NO_SUCH_SLOT' })
      await assert.rejects(slots.install('9.9.9', signal), { code: 'BTL_ERR_SLOTS_INSTALL_FAILED' })
      await assert.rejects(slots.install('0.1.0', signal), { code: 'BTL_ERR_SLOTS_INSTALL_FAILED' })
      assert.deepEqual(await view(slots), [['0.1.0', 'good', true]])
    })
  })
}
