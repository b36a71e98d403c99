import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { startPebble, withoutPebble } from '../../support/pebble.ts'
import { openAcme, startDoor } from './open-acme.ts'

describe('certificates of Pebble', { skip: withoutPebble() }, () => {
  it('are ordered for configured hosts at the start', async (t) => {
    const door = await startDoor(t)
    const pebble = await startPebble(t, { httpPort: door.port, refuseNonces: 30 })
    const { acme, logged } = await openAcme(t, {
      asleep: true,
      directory: pebble.directory,
      authority_ca: pebble.ca,
      hosts: ['gw.example', 'btlink.gw.example www.gw.example'],
    })
    door.acme = acme
    await acme.start(new AbortController().signal)
    await acme.renewDue()
    const leaf = acme.leaf('GW.example.')
    assert.ok(leaf, logged.join('\n') + pebble.output())
    assert.deepEqual(leaf.hosts, ['gw.example'])
    const certificate = new X509Certificate(leaf.cert)
    assert.equal(certificate.subjectAltName, 'DNS:gw.example')
    const both = acme.leaf('www.gw.example')
    assert.equal(acme.leaf('btlink.gw.example'), both)
    assert.deepEqual(both?.hosts.toSorted(), ['btlink.gw.example', 'www.gw.example'])
    assert.deepEqual(acme.health(), { status: 'ok', score: 100 })
  })
})
