import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  type Pebble,
  type PebbleOptions,
  startPebble,
  withoutPebble,
} from '../../support/pebble.ts'
import type { Cleanup } from '../../support/temp.ts'
import {
  DAY,
  type Door,
  type OpenAcme,
  openAcme,
  type OpenOptions,
  SITE,
  startDoor,
} from './open-acme.ts'

interface Box extends OpenAcme {
  door: Door
  pebble: Pebble
}

interface BoxOptions extends OpenOptions {
  pebble?: Partial<PebbleOptions>
}

/** A gateway and its authority; the first orders have ended. */
async function openBox(t: Cleanup, { pebble: more, ...options }: BoxOptions): Promise<Box> {
  const door = await startDoor(t)
  const pebble = await startPebble(t, { httpPort: door.port, ...more })
  const { directory, ca: authority_ca } = pebble
  const opened = await openAcme(t, { asleep: true, directory, authority_ca, ...options })
  door.acme = opened.acme
  await opened.acme.start(new AbortController().signal)
  await opened.acme.renewDue()
  return { ...opened, door, pebble }
}

const serialOf = (pem = ''): string => new X509Certificate(pem).serialNumber

describe('certificates of Pebble', { skip: withoutPebble() }, () => {
  it('are ordered for configured hosts at the start, though good nonces are refused', async (t) => {
    const { acme, logged, pebble } = await openBox(t, {
      hosts: ['gw.example', 'btlink.gw.example www.gw.example'],
      pebble: { refuseNonces: 25, chainLength: 2 },
    })
    const leaf = acme.leaf('GW.example.')
    assert.ok(leaf, logged.join('\n') + pebble.output())
    assert.equal(acme.leaf('gw.example'), leaf)
    const certificate = new X509Certificate(leaf.cert)
    assert.equal(certificate.subjectAltName, 'DNS:gw.example')
    assert.equal(leaf.cert.match(/BEGIN CERTIFICATE/g)?.length, 3)
    const both = acme.leaf('www.gw.example')
    assert.ok(both)
    assert.equal(acme.leaf('btlink.gw.example'), both)
    assert.deepEqual(both.hosts.toSorted(), ['btlink.gw.example', 'www.gw.example'])
    assert.notEqual(both.key, leaf.key)
    assert.deepEqual(acme.health(), { status: 'ok', score: 100 })
    assert.deepEqual(acme.stats(), {
      certificates: 2,
      orders: 2,
      orders_issued: 2,
      orders_failed: 0,
      orders_waiting: 0,
      orders_held_back: 0,
      // Pebble looks from three places.
      challenges_answered: 9,
    })
  })

  it('are kept for the next start in files that nobody else can read', async (t) => {
    const { acme, folder, pebble, door } = await openBox(t, { hosts: ['gw.example'] })
    const before = acme.leaf('gw.example')
    assert.ok(before)
    await acme.stop()
    const [authority = ''] = await readdir(folder)
    for (const file of ['account.key', 'ledger.json', 'certificates/gw.example.pem']) {
      const { mode } = await stat(join(folder, authority, file))
      assert.equal(mode & 0o777, 0o600, file)
    }
    const again = await openAcme(t, {
      folder,
      hosts: ['gw.example'],
      directory: pebble.directory,
      authority_ca: pebble.ca,
    })
    door.acme = again.acme
    assert.deepEqual(again.acme.leaf('gw.example'), before)
    await again.acme.renewDue()
    assert.equal(again.acme.stats()['orders'], 0)
    const ledger = await readFile(join(folder, authority, 'ledger.json'), 'utf8')
    assert.deepEqual(JSON.parse(ledger), { orders: [], waits: {} })
  })

  it('are renewed at two thirds of their lifetime, and the old one serves until then', async (t) => {
    const { acme, clock } = await openBox(t, { hosts: ['gw.example'] })
    const first = acme.leaf('gw.example')
    clock.at += 59 * DAY
    await acme.renewDue()
    assert.equal(acme.leaf('gw.example'), first)
    clock.at += 2 * DAY
    assert.equal(acme.leaf('gw.example'), first, 'while the order is under way')
    await acme.renewDue()
    const second = acme.leaf('gw.example')
    assert.ok(second)
    assert.notEqual(serialOf(second.cert), serialOf(first?.cert))
    assert.notEqual(second.key, first?.key)
  })

  it('come for an account that is bound to one outside', async (t) => {
    const key = Buffer.from('a secret of the authority and us').toString('base64url')
    const { acme, logged } = await openBox(t, {
      hosts: ['gw.example'],
      eab_key_id: 'kid-1',
      eab_hmac_key: key,
      pebble: { bindings: { 'kid-1': key } },
    })
    assert.ok(acme.leaf('gw.example'), logged.join('\n'))
  })

  it('are not ordered without the binding that the authority wants', async (t) => {
    const { acme } = await openBox(t, {
      hosts: ['gw.example'],
      pebble: { bindings: { 'kid-1': Buffer.from('x'.repeat(32)).toString('base64url') } },
    })
    const { score, detail = '' } = await acme.health()
    assert.equal(score, 40)
    assert.match(detail, /set acme\.eab_key_id/)
  })

  it('are ordered for sites when somebody asks, so many a week and no more', async (t) => {
    const { acme, clock } = await openBox(t, { content_names: true, content_names_per_week: 2 })
    const site = (digit: string) => SITE.replace(/^4a/, digit.repeat(2))
    assert.equal(acme.leaf('gw.example'), undefined)
    assert.equal(acme.leaf('nonsense.btlink.gw.example'), undefined)
    assert.equal(acme.stats()['orders_waiting'], 0)
    for (const digit of ['1', '2', '1', '2']) assert.equal(acme.leaf(site(digit)), undefined)
    await acme.renewDue()
    assert.deepEqual(acme.leaf(site('1'))?.hosts, [site('1')])
    assert.deepEqual(acme.leaf(site('2'))?.hosts, [site('2')])
    acme.leaf(site('3'))
    await acme.renewDue()
    assert.equal(acme.leaf(site('3')), undefined)
    assert.equal(acme.stats()['orders'], 2)
    assert.ok((acme.stats()['orders_held_back'] ?? 0) > 0)
    assert.deepEqual(acme.health(), { status: 'ok', score: 100 })
    clock.at += 8 * DAY
    acme.leaf(site('3'))
    await acme.renewDue()
    assert.ok(acme.leaf(site('3')))
  })

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
})
