import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { withoutPebble } from '../../support/pebble.ts'
import { DAY, openAcme, SITE } from './open-acme.ts'
import { openBox } from './pebble-box.ts'

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
})
