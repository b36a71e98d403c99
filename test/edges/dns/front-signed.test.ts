/** Unbound validates, and the root says that there is no btlink: what its configuration must get right. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withoutServers } from '../../support/dns-servers.ts'
import { withoutWrongClocks } from '../../support/wrong-clock.ts'
import { IN_1970, startInternet, startSetup } from './front-setups.ts'
import { dig } from './house.ts'
import { CONTENT } from './scenario.ts'

const skip = withoutServers() || withoutWrongClocks()

describe('unbound that validates from a signed root', { skip }, () => {
  it('answers names of content, though the root denies that they can be', async (t) => {
    const internet = await startInternet(t, { isSigned: true })
    const house = await startSetup(t, 'unbound', { internet, anchors: await internet.anchors() })
    const status = /status: NOERROR[^]*flags: qr rd ra ad/
    assert.match(await dig(house.port, '+adflag', 'web.example.net'), status)
    // The proof that nothing is between these two would cover btlink (RFC 8198).
    for (const name of ['btlinj', 'btlinkz']) {
      assert.match(await dig(house.port, '+dnssec', name, 'NS'), /status: NXDOMAIN/)
    }
    for (const name of [CONTENT, 'btlink']) {
      assert.match(await dig(house.port, '+dnssec', name), /NOERROR[^]*192\.168\.77\.1/)
    }
    assert.equal(await dig(house.port, '+short', 'nas.lan'), '192.168.1.5\n')
    assert.equal(await dig(house.port, '+short', 'nas.corp'), '192.168.5.5\n')
  })

  it('finds time servers while its clock stands in 1970, and the rest when it is set', async (t) => {
    const internet = await startInternet(t, { isSigned: true })
    const anchors = await internet.anchors()
    const house = await startSetup(t, 'unbound', { internet, anchors, env: IN_1970 })
    assert.equal(await dig(house.port, '+short', '0.debian.pool.ntp.org'), '198.18.0.123\n')
    assert.equal(await dig(house.port, '+short', CONTENT), '192.168.77.1\n')
    assert.equal(await dig(house.port, '+short', 'nas.lan'), '192.168.1.5\n')
    assert.match(await dig(house.port, 'web.example.net'), /SERVFAIL/)
    await house.restartFront(process.env)
    assert.equal(await dig(house.port, '+short', 'web.example.net'), '198.18.0.80\n')
  })
})
