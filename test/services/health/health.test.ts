import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import type { Health } from '../../../src/base/ports/component.ts'
import { createDiskPart, createHealth } from '../../../src/services/health/index.ts'

const config = { check_timeout: 50, keep_for: 1000, disk_low: 1 }
const well: Health = { status: 'ok', score: 100 }
const part = (name: string, health: () => Health | Promise<Health>) => ({ name, health })

describe('health', () => {
  it('is ok while every part is', async () => {
    const health = createHealth({ parts: [part('a', () => well)], clock: { now: () => 0 } }, config)
    assert.deepEqual(await health.check(), { status: 'ok', score: 100, components: { a: well } })
  })

  it('falls to the score of the worst part, and is down only with a critical one (P04)', async () => {
    const weak: Health = { status: 'down', score: 0, detail: 'gone' }
    const clock = { now: () => 0 }
    const check = (name: string, critical?: string[]) => {
      const parts = [part('a', () => well), part(name, () => weak)]
      return createHealth({ parts, clock, ...(critical && { critical }) }, config).check()
    }
    assert.equal((await check('dht')).status, 'degraded')
    assert.equal((await check('dht')).score, 0)
    assert.equal((await check('dht', ['dht'])).status, 'down')
    for (const name of ['store', 'gateway']) assert.equal((await check(name)).status, 'down')
    assert.equal((await check('store')).components['store']?.detail, 'gone')
  })

  it('takes a part that throws or is silent for down', async () => {
    const parts = [
      part('thrower', () => {
        throw new Error('broken')
      }),
      part('silent', () => new Promise<Health>(() => undefined)),
    ]
    // The race's timer must not be what keeps a test alive.
    const alive = setInterval(() => undefined, 10)
    const { components } = await createHealth({ parts, clock: { now: () => 0 } }, config).check()
    clearInterval(alive)
    assert.deepEqual(components['thrower'], { status: 'down', score: 0, detail: 'broken' })
    assert.match(components['silent']?.detail ?? '', /no answer within 50 ms/)
  })

  it('asks again only after a while, and after the clock was set back', async () => {
    let asked = 0
    let now = 5000
    const parts = [
      part('a', () => {
        asked++
        return well
      }),
    ]
    const health = createHealth({ parts, clock: { now: () => now } }, config)
    await Promise.all([health.check(), health.check()])
    assert.equal(asked, 1)
    now = 6001
    await health.check()
    assert.equal(asked, 2)
    now = 0
    await health.check()
    assert.equal(asked, 3)
  })
})

describe('the disk', () => {
  it('is well while enough is free, and says what is left when not', async () => {
    assert.equal(
      (await createDiskPart({ folder: tmpdir() }, { disk_low: 1 }).health()).status,
      'ok',
    )
    const low = await createDiskPart(
      { folder: tmpdir() },
      { disk_low: Number.MAX_SAFE_INTEGER },
    ).health()
    assert.equal(low.status, 'degraded')
    assert.match(low.detail ?? '', /free in/)
    assert.ok(low.score <= 80)
  })
})
