import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import {
  createBandwidth,
  type BandwidthConfig,
} from '../../../src/engines/torrent/wire/bandwidth.ts'
import { hoursAt, type LimitedHours } from '../../../src/engines/torrent/wire/bandwidth-hours.ts'
import {
  createGate,
  NO_RATES,
  type PeerKind,
  type Rates,
} from '../../../src/engines/torrent/wire/gate.ts'
import { finallyDo } from '../../support/temp.ts'
import { localConfig } from './support.ts'

const KIB = 1024

/** A peer with as much to move as it likes. */
function mover(kind: PeerKind, amount = Number.POSITIVE_INFINITY) {
  let left = amount
  let moved = 0
  return {
    kind,
    ready: () => left,
    move(most: number) {
      const bytes = Math.min(most, left)
      left -= bytes
      moved += bytes
      return bytes
    },
    get moved() {
      return moved
    },
  }
}

/** A gate whose time passes when the test says so. */
function steppedGate(t: TestContext, rates: Rates) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = 0
  const gate = createGate(() => now, rates)
  finallyDo(t, () => gate.stop())
  return {
    gate,
    pass: (ms: number): void => {
      for (const end = now + ms; now < end; ) {
        now += 20
        t.mock.timers.tick(20)
      }
    },
  }
}

describe('the gate', () => {
  it('lets everything through where nothing is limited', (t) => {
    const { gate } = steppedGate(t, NO_RATES)
    assert.ok(gate.isFree('tcp') && gate.isFree('webrtc') && gate.isFree('webseed'))
    const one = mover('tcp', 10_000_000)
    gate.ask(one)
    assert.equal(one.moved, 10_000_000)
  })

  it('gives as many bytes a second as the limit says', (t) => {
    const { gate, pass } = steppedGate(t, { ...NO_RATES, all: 100 * KIB })
    const one = mover('tcp')
    gate.ask(one)
    pass(10_000)
    assert.ok(Math.abs(one.moved - 1000 * KIB) <= 30 * KIB, `${one.moved}`)
  })

  it('does not make up for idle time', (t) => {
    const { gate, pass } = steppedGate(t, { ...NO_RATES, all: 100 * KIB })
    pass(60_000)
    const one = mover('tcp')
    gate.ask(one)
    assert.ok(one.moved <= 26 * KIB, `${one.moved}`)
  })

  it('shares a limit evenly, whoever asks the most', (t) => {
    const { gate, pass } = steppedGate(t, { ...NO_RATES, all: 200 * KIB })
    const peers = Array.from({ length: 7 }, () => mover('tcp'))
    for (const peer of peers) gate.ask(peer)
    pass(20_000)
    const share = (4000 * KIB) / 7
    for (const { moved } of peers)
      assert.ok(moved > share * 0.8 && moved < share * 1.2, `${moved} of ${share}`)
  })

  it('limits each kind by itself and all of them together', (t) => {
    const { gate, pass } = steppedGate(t, { ...NO_RATES, all: 100 * KIB, webrtc: 20 * KIB })
    const tcp = mover('tcp')
    const web = mover('webrtc')
    gate.ask(tcp)
    gate.ask(web)
    pass(10_000)
    assert.ok(Math.abs(web.moved - 200 * KIB) <= 20 * KIB, `${web.moved}`)
    assert.ok(Math.abs(web.moved + tcp.moved - 1000 * KIB) <= 40 * KIB)
  })

  it('passes by who is of another kind and has no limit', (t) => {
    const { gate } = steppedGate(t, { ...NO_RATES, webrtc: 10 * KIB })
    assert.ok(gate.isFree('tcp') && !gate.isFree('webrtc'))
    const web = mover('webrtc')
    gate.ask(web)
    const tcp = mover('tcp', 1_000_000)
    gate.ask(tcp)
    gate.set({ ...NO_RATES, webrtc: 10 * KIB })
    assert.equal(tcp.moved, 1_000_000)
  })

  it('moves at once what waited when the limit is lifted, and goes on slower when it is lowered', (t) => {
    const { gate, pass } = steppedGate(t, { ...NO_RATES, all: KIB })
    const one = mover('tcp', 500 * KIB)
    gate.ask(one)
    pass(1000)
    assert.ok(one.moved < 10 * KIB)
    gate.set(NO_RATES)
    assert.equal(one.moved, 500 * KIB)
    gate.set({ ...NO_RATES, all: 1000 * KIB })
    const two = mover('tcp')
    gate.ask(two)
    pass(1000)
    gate.set({ ...NO_RATES, all: 10 * KIB })
    const before = two.moved
    pass(1000)
    assert.ok(two.moved - before <= 14 * KIB, `${two.moved - before}`)
  })

  it('keeps to rates smaller than a block', (t) => {
    const { gate, pass } = steppedGate(t, { ...NO_RATES, all: 100 })
    const one = mover('tcp')
    gate.ask(one)
    pass(60_000)
    assert.ok(one.moved >= 5000 && one.moved <= 8100, `${one.moved}`)
  })
})

const hours = (from: string, to: string, days: string[] = []): LimitedHours => ({
  from,
  to,
  days,
  download_limit: 1,
  upload_limit: 1,
})

describe('limited hours', () => {
  const berlin = (t: { after(fn: () => void): void }) => {
    const before = process.env['TZ']
    process.env['TZ'] = 'Europe/Berlin'
    t.after(() => {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    })
  }
  // 2026-11-20 is a Friday.
  const cases: [string, LimitedHours, string, boolean][] = [
    ['before they begin', hours('08:00', '10:00'), '2026-11-20T07:59:59', false],
    ['the minute they begin', hours('08:00', '10:00'), '2026-11-20T08:00:00', true],
    ['the last second', hours('08:00', '10:00'), '2026-11-20T09:59:59', true],
    ['the minute they end', hours('08:00', '10:00'), '2026-11-20T10:00:00', false],
    ['before midnight', hours('23:00', '07:00'), '2026-11-20T23:30:00', true],
    ['after midnight', hours('23:00', '07:00'), '2026-11-21T06:59:00', true],
    ['the noon between', hours('23:00', '07:00'), '2026-11-20T12:00:00', false],
    ['a whole day', hours('09:00', '09:00'), '2026-11-20T03:00:00', true],
    ['its day', hours('08:00', '10:00', ['fri']), '2026-11-20T09:00:00', true],
    ['another day', hours('08:00', '10:00', ['sat', 'sun']), '2026-11-20T09:00:00', false],
    [
      'the night of Friday on Saturday',
      hours('23:00', '07:00', ['fri']),
      '2026-11-21T03:00:00',
      true,
    ],
    [
      'Friday morning, which is of Thursday',
      hours('23:00', '07:00', ['fri']),
      '2026-11-20T03:00:00',
      false,
    ],
    [
      'the night from Saturday to Sunday',
      hours('22:00', '02:00', ['sat']),
      '2026-11-22T01:00:00',
      true,
    ],
  ]
  for (const [what, list, now, holds] of cases) {
    it(`${holds ? 'hold' : 'do not hold'}: ${what}`, (t) => {
      berlin(t)
      assert.equal(hoursAt([list], new Date(now)) !== undefined, holds)
    })
  }

  it('follow the clocks of the house over a change of summer time', (t) => {
    berlin(t)
    const night = [hours('01:00', '06:00')]
    // 29 March 2026: 02:00 becomes 03:00, so that 05:30 is 03:30 UTC instead of 04:30.
    assert.ok(hoursAt(night, new Date('2026-03-29T03:30:00Z')))
    assert.equal(hoursAt(night, new Date('2026-03-29T04:30:00Z')), undefined)
    assert.ok(hoursAt(night, new Date('2026-03-28T04:30:00Z')))
    // 25 October 2026: 02:30 comes twice.
    const twice = [hours('02:00', '03:00')]
    assert.ok(hoursAt(twice, new Date('2026-10-25T00:30:00Z')))
    assert.ok(hoursAt(twice, new Date('2026-10-25T01:30:00Z')))
    assert.equal(hoursAt(twice, new Date('2026-10-25T02:30:00Z')), undefined)
  })

  it('take the first of two that overlap', () => {
    const first = { ...hours('00:00', '00:00'), upload_limit: 7 }
    assert.equal(hoursAt([first, hours('00:00', '00:00')], new Date())?.upload_limit, 7)
  })
})

describe('bandwidth', () => {
  const config = (more: Partial<BandwidthConfig>): BandwidthConfig => ({
    ...localConfig({ lan_exempt: true }),
    ...more,
  })
  const at = (text: string) => ({ now: () => new Date(text).getTime() })

  it('takes the limits of the hour and goes back to the usual ones', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let now = '2026-11-20T22:59:59'
    const bandwidth = createBandwidth(
      { clock: { now: () => new Date(now).getTime() } },
      config({
        upload_limit: 1000,
        limit_schedule: [{ ...hours('23:00', '07:00'), days: [], upload_limit: 0 }],
      }),
    )
    finallyDo(t, () => bandwidth.stop())
    bandwidth.start()
    assert.ok(!bandwidth.up.isFree('tcp'))
    now = '2026-11-20T23:00:00'
    t.mock.timers.tick(1000)
    assert.ok(bandwidth.up.isFree('tcp'))
    now = '2026-11-21T07:00:00'
    t.mock.timers.tick(1000)
    assert.ok(!bandwidth.up.isFree('tcp'))
  })

  it('leaves out the own network unless told not to', (t) => {
    const clock = at('2026-11-20T12:00:00')
    const kind = createBandwidth({ clock }, config({}))
    const strict = createBandwidth({ clock }, config({ lan_exempt: false }))
    finallyDo(t, () => kind.stop())
    finallyDo(t, () => strict.stop())
    for (const host of [
      '192.168.1.9',
      '10.0.0.1',
      '100.64.0.1',
      '127.0.0.1',
      '::1',
      'fd00::1',
      '::ffff:10.0.0.1',
    ])
      assert.ok(kind.isExempt(host) && !strict.isExempt(host), host)
    for (const host of ['9.9.9.9', '2606:4700::1111', 'a.name', undefined])
      assert.ok(!kind.isExempt(host), host)
  })

  it('makes web seeds wait, and lets go of them when they are told to', async (t) => {
    const bandwidth = createBandwidth(
      { clock: at('2026-11-20T12:00:00') },
      config({ web_seed_download_limit: 100_000 }),
    )
    finallyDo(t, () => bandwidth.stop())
    const signal = new AbortController().signal
    assert.equal(bandwidth.paced('tcp', 100, '9.9.9.9', signal), undefined)
    assert.equal(bandwidth.paced('webseed', 100, '10.0.0.1', signal), undefined)
    const since = performance.now()
    await bandwidth.paced('webseed', 40_000, '9.9.9.9', signal)
    assert.ok(performance.now() - since >= 300)
    const leaving = AbortSignal.timeout(50)
    await assert.rejects(async () => bandwidth.paced('webseed', 10_000_000, '9.9.9.9', leaving), {
      name: 'TimeoutError',
    })
    await bandwidth.paced('webseed', 1000, '9.9.9.9', signal)
  })
})
