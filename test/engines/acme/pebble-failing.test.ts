import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { withoutPebble } from '../../support/pebble.ts'
import { tempFolder } from '../../support/temp.ts'
import { DAY } from './open-acme.ts'
import { openBox } from './pebble-box.ts'

describe('certificates that Pebble does not renew, or the disk does not keep', {
  skip: withoutPebble(),
}, () => {
  it('are tried again after five minutes where the proof failed', async (t) => {
    const { acme, clock, door } = await openBox(t, { hosts: ['gw.example'] })
    assert.equal(acme.stats()['orders_issued'], 1)
    clock.at += 61 * DAY
    delete door.acme
    await acme.renewDue()
    const failing = await acme.health()
    assert.equal(failing.status, 'degraded')
    assert.equal(failing.score, 70)
    assert.match(failing.detail ?? '', /is not renewed: .*gw\.example.* unauthorized: .*404/)
    assert.ok(acme.leaf('gw.example'), 'the old one is still good')
    door.acme = acme
    for (const [minutes, orders] of [
      [4, 2],
      [2, 3],
    ] as const) {
      clock.at += minutes * 60_000
      await acme.renewDue()
      assert.equal(acme.stats()['orders'], orders)
    }
    assert.deepEqual(acme.stats()['orders_issued'], 2)
  })

  it('lose points the nearer their end is without another one', async (t) => {
    const { acme, clock, door } = await openBox(t, { hosts: ['gw.example'] })
    delete door.acme
    const first = clock.at
    for (const [days, points] of [
      [59, 100],
      [61, 70],
      [84, 30],
      [91, 20],
    ] as const) {
      clock.at = first + days * DAY
      await acme.renewDue()
      assert.equal((await acme.health()).score, points, `after ${days} days`)
      assert.equal(acme.leaf('gw.example') !== undefined, days < 90)
    }
  })

  it('serve until the next start where they cannot be kept', async (t) => {
    const { acme, folder, logged } = await openBox(t, {
      hosts: ['gw.example'],
      folder: join(await tempFolder(t), 'acme'),
      spoil: true,
    })
    assert.ok(acme.leaf('gw.example'), logged.join('\n'))
    assert.match(logged.join('\n'), /a certificate cannot be kept/)
    await acme.renewDue()
    assert.equal(acme.stats()['orders'], 1)
    assert.ok((await readdir(folder)).length === 1)
  })
})
