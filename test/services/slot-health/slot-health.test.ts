import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  configFaults,
  createSlotHealth,
  diskFault,
  type Fault,
  readRelease,
  readSlots,
  readUnits,
} from '../../../src/services/slot-health/index.ts'

const unit = (id: string, active = 'active', restarts = 0, load = 'loaded') =>
  `Id=${id}\nLoadState=${load}\nActiveState=${active}\nSubState=running\nNRestarts=${restarts}\n`

const fault = (detail: string, isSurroundings = false): Fault => ({
  check: 'x',
  detail,
  isSurroundings,
})

interface Scene {
  /** What systemctl says at each look; the last one stays. */
  units?: string[]
  /** What the checks find at each look; the last one stays. */
  found?: Fault[][]
}

/** Looks with a clock that runs a second a look. */
async function look({ units = [unit('a.service')], found = [[]] }: Scene, wanted = ['a.service']) {
  let looks = 0
  let now = 0
  const at = <T>(list: readonly T[], index: number): T | undefined =>
    list[Math.min(index, list.length - 1)]
  const judgement = await createSlotHealth(
    {
      units: wanted,
      askUnits: async () => readUnits(at(units, looks) ?? ''),
      checks: [
        async () => {
          now += 1000
          return at(found, looks++) ?? []
        },
      ],
      steady: () => now,
    },
    { timeoutMs: 60_000, pauseMs: 0, settleMs: 10_000 },
  ).look(new AbortController().signal)
  return { ...judgement, looks }
}

describe('a boot (R19)', () => {
  it('is healthy once all is well for ten seconds, whatever was before', async () => {
    const { verdict, looks } = await look({
      units: [unit('a.service', 'activating'), unit('a.service')],
      found: [[fault('dns: no answer')], [fault('dns: no answer')], []],
    })
    assert.equal(verdict, 'healthy')
    assert.ok(looks >= 12 && looks < 20, String(looks))
  })

  for (const [what, scene, said] of [
    ['a unit that failed', { units: [unit('a.service', 'failed')] }, /^a\.service: is failed/],
    ['a unit that is not there', { units: [''] }, /^a\.service: there is no such unit/],
    [
      'a unit that nobody installed',
      { units: [unit('a.service', 'inactive', 0, 'not-found')] },
      /no such unit/,
    ],
    ['a role in a loop', { units: [unit('a.service', 'active', 7)] }, /was restarted 7 times/],
    [
      'a role that falls again and again',
      { units: Array.from({ length: 100 }, (_, index) => unit('a.service', 'active', index % 5)) },
      /was restarted|not well for long/,
    ],
    ['DNS that does not answer', { found: [[fault('no answer within 3 s')]] }, /no answer/],
  ] satisfies [string, Scene, RegExp][]) {
    it(`with ${what} is a bad slot`, async () => {
      const { verdict, reasons, looks } = await look(scene)
      assert.equal(verdict, 'slot')
      assert.match(reasons.join('\n'), said)
      assert.ok(looks >= 60, 'it had its time')
    })
  }

  it('on a full, read-only or broken disk is not a bad slot, whatever else fails', async () => {
    for (const code of ['ENOSPC', 'EROFS', 'EIO', 'EDQUOT']) {
      const alone = await look({ found: [[diskFault('/var/lib/btlinkd', code)]] })
      assert.equal(alone.verdict, 'surroundings')
      assert.ok(alone.looks < 20, 'what works beside it is not waited for')
      const more = await look({
        units: [unit('a.service', 'failed')],
        found: [[diskFault('/var/lib/btlinkd', code), fault('no answer')]],
      })
      assert.equal(more.verdict, 'surroundings')
      assert.match(
        more.reasons[0] ?? '',
        new RegExp(`^state: cannot write to /var/lib/btlinkd: ${code}`),
      )
    }
    assert.equal(
      (await look({ found: [[diskFault('/x', 'EACCES')]] })).verdict,
      'slot',
      'rights are of the image',
    )
  })

  it('with settings that people broke is not a bad slot, and is not waited for', async () => {
    const now = { version: '2', config: 'new' }
    const good = { version: '1', config: 'old' }
    for (const known of [good, undefined, { version: '2', config: 'old' }]) {
      const { verdict, looks } = await look({
        units: [unit('a.service', 'failed')],
        found: [configFaults(['btlinkd.yaml:2: /dns/port must be at most 65535'], now, known)],
      })
      assert.equal(verdict, 'surroundings')
      assert.equal(looks, 1)
    }
  })

  it('with settings that the version before ran on, and this one refuses, is a bad slot', async () => {
    const found = configFaults(
      ['/dns/port is not a known key'],
      { version: '2', config: 'same' },
      { version: '1', config: 'same' },
    )
    const { verdict, reasons } = await look({ found: [found] })
    assert.equal(verdict, 'slot')
    assert.match(reasons[0] ?? '', /version 1 ran on these settings, and they are refused/)
  })
})

describe('the versions on the boot partition', () => {
  it('are told from their names', () => {
    const slots = (...entries: string[]) => readSlots(entries, 'btlinkd', '0.2.0')
    assert.deepEqual(slots('btlinkd_0.2.0+2-1.efi', 'btlinkd_0.1.0.efi'), {
      onTrial: true,
      hasOther: true,
    })
    assert.deepEqual(slots('btlinkd_0.2.0+0-3.efi'), { onTrial: true, hasOther: false })
    assert.deepEqual(slots('btlinkd_0.2.0+3.efi', 'btlinkd_0.3.0+0-3.efi'), {
      onTrial: true,
      hasOther: false,
    })
    assert.deepEqual(slots('btlinkd_0.2.0.efi', 'btlinkd_0.1.0.efi'), {
      onTrial: false,
      hasOther: true,
    })
    assert.deepEqual(slots('other_0.1.0.efi', 'README', 'btlinkd_0.2.0+x.efi'), {
      onTrial: false,
      hasOther: false,
    })
  })

  it('of any names are read without failing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string()),
        fc.string(),
        (entries, version) => void readSlots(entries, 'btlinkd', version),
      ),
    )
    fc.assert(fc.property(fc.string(), (text) => void readUnits(text)))
  })

  it('have the one that runs in os-release', () => {
    assert.deepEqual(readRelease('NAME=x\nIMAGE_ID=btlinkd\nIMAGE_VERSION="0.1.0"\n'), {
      id: 'btlinkd',
      version: '0.1.0',
    })
    assert.equal(readRelease('NAME=Debian\n'), undefined)
  })
})
