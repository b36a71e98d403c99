import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pkiConfigSchema } from '../../../src/engines/pki/config.ts'
import { EARLIEST } from '../../../src/base/sound-time.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { startsAt, withoutWrongClocks } from '../../support/wrong-clock.ts'
import { certificatesOf, DAY, firstOf, NOW, openPki, siteHost } from './open-pki.ts'

const CHILD = join(import.meta.dirname, 'start-child.ts')
const YEAR = 365 * DAY

describe('the earliest time there can be', () => {
  it('is over, or leaves would begin in the future', () => {
    assert.ok(EARLIEST < Date.now())
    assert.ok(EARLIEST < NOW)
  })
})

describe('a leaf of the shortest lifetime', () => {
  it('is good when it is made, and made anew before it ends', async (t) => {
    const section = pkiConfigSchema.properties.leaf_lifetime as { minimum?: unknown }
    const { pki, clock } = await openPki(t, { leaf_lifetime: Number(section.minimum) })
    const first = await pki.leaf(siteHost(1))
    assert.equal(await pki.leaf(siteHost(1)), first)
    assert.ok(first.notAfter > NOW + DAY)
    clock.at = NOW + DAY
    assert.notEqual(await pki.leaf(siteHost(1)), first)
  })
})

describe('a wrong clock', () => {
  for (const [title, now] of [
    ['1970', 0],
    ['2100', Date.UTC(2100, 0)],
    ['a day before the program was written', Date.UTC(2026, 6, 31)],
    ['before all time', -1e15],
  ] as const) {
    it(`at the first start (${title}) makes certificates that are good today`, async (t) => {
      const { pki, clock } = await openPki(t, { now })
      const leaf = await pki.leaf(siteHost(1))
      const root = firstOf((await pki.root()).pem)
      for (const one of [root, ...certificatesOf(leaf.cert)]) {
        assert.ok(Date.parse(one.validFrom) < NOW, `${one.subject} begins ${one.validFrom}`)
        assert.ok(Date.parse(one.validTo) > NOW, `${one.subject} ends ${one.validTo}`)
      }
      assert.ok(
        Date.parse(firstOf(leaf.cert).validTo) - Date.parse(firstOf(leaf.cert).validFrom) <
          398 * DAY,
      )
      assert.deepEqual(await pki.health(), {
        status: 'degraded',
        score: 70,
        detail: 'the clock cannot be right',
      })
      clock.at = NOW
      assert.equal((await pki.health()).status, 'ok')
      assert.ok((await pki.leaf(siteHost(1))).notAfter > NOW + 50 * DAY)
    })
  }

  it('that nothing has confirmed, and may be months behind, makes leaves that last a year (R22)', async (t) => {
    const { pki, clock } = await openPki(t)
    const notAfter = async (host: string) => (await pki.leaf(host)).notAfter
    assert.ok((await notAfter(siteHost(1))) < NOW + 91 * DAY)
    Object.assign(clock, { isDoubtful: () => true })
    assert.ok((await notAfter(siteHost(2))) > NOW + 390 * DAY)
    Object.assign(clock, { isDoubtful: () => false })
    assert.ok((await notAfter(siteHost(3))) < NOW + 91 * DAY)
  })

  it('that was ahead does not leave leaves behind that begin in the future', async (t) => {
    const { pki, clock } = await openPki(t, { now: NOW + 2 * YEAR })
    await pki.leaf(siteHost(1))
    clock.at = NOW
    const { cert } = await pki.leaf(siteHost(1))
    assert.ok(Date.parse(firstOf(cert).validFrom) < NOW)
  })

  it('that falls back to 1970 keeps the leaves of the right time', async (t) => {
    const { pki, clock } = await openPki(t)
    await pki.leaf(siteHost(1))
    clock.at = 0
    const { cert } = await pki.leaf(siteHost(1))
    assert.ok(Date.parse(firstOf(cert).validFrom) < NOW)
    assert.ok(Date.parse(firstOf(cert).validTo) > NOW)
  })

  it('is nothing a real process falls over, in 1970 or in 2100', {
    skip: withoutWrongClocks() || missing('/usr/bin/openssl'),
  }, async (t) => {
    for (const day of ['1970-01-02', '2100-01-02']) {
      const folder = await tempFolder(t)
      const text = await output(process.execPath, [CHILD, join(folder, 'pki')], {
        env: { ...process.env, NODE_OPTIONS: '', ...startsAt(`@${day} 00:00:00`) },
      })
      const { leaf, root } = JSON.parse(text) as { leaf: string; root: string }
      assert.ok(Date.parse(firstOf(root).validFrom) < NOW)
      assert.ok(Date.parse(firstOf(leaf).validFrom) < NOW)
      assert.ok(Date.parse(firstOf(leaf).validTo) > NOW)
    }
  })
})

describe('an authority that comes to its end', () => {
  it('says so half a year before, and refuses leaves after it', async (t) => {
    const { pki, folder, clock } = await openPki(t)
    const end = Date.parse(certificatesOf((await pki.leaf(siteHost(1))).cert)[1]?.validTo ?? '')
    assert.ok(end > NOW + 9.8 * YEAR && end < NOW + 10 * YEAR)
    clock.at = end - 100 * DAY
    assert.deepEqual((await pki.health()).status, 'degraded')
    clock.at = end - DAY
    const last = await pki.leaf(siteHost(2))
    assert.equal(last.notAfter, end, 'a leaf does not outlive its issuer')
    clock.at = end + DAY
    await assert.rejects(pki.leaf(siteHost(3)), { code: 'BTL_ERR_PKI_EXPIRED', statusCode: 503 })
    assert.equal((await pki.health()).status, 'down')
    const { pki: again } = await openPki(t, { folder, now: end + DAY })
    await assert.rejects(again.leaf(siteHost(1)), { code: 'BTL_ERR_PKI_EXPIRED' })
    await again.rotate('names')
    await again.leaf(siteHost(1))
  })
})
