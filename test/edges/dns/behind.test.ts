/** The resolver as the authority behind somebody else's: unbound and dnsmasq with the lines our docs give. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startDnsmasq, startNsd, startUnbound, withoutServers } from '../../support/dns-servers.ts'
import { dig, startHouse } from './house.ts'

const HASH = 'ab'.repeat(20)
const NAME = `${HASH}-ih.btlink`

/** What a client of the front sees of our zone. */
async function seesOurNames(port: number): Promise<void> {
  assert.equal(await dig(port, '+short', NAME, 'A'), '127.0.0.1\n')
  assert.equal(await dig(port, '+short', NAME.toUpperCase(), 'A'), '127.0.0.1\n')
  assert.match(await dig(port, NAME, 'HTTPS'), /status: NOERROR[\s\S]*ANSWER: 0/)
  assert.match(await dig(port, 'nonsense.btlink', 'A'), /status: NXDOMAIN/)
  // A "no" for one name must not hide the others.
  assert.equal(await dig(port, '+short', `${'cd'.repeat(20)}-ih.btlink`, 'A'), '127.0.0.1\n')
  assert.equal(await dig(port, '+short', '+tcp', 'btlink', 'A'), '127.0.0.1\n')
}

describe('the resolver behind another', { skip: withoutServers() }, () => {
  it('gives unbound its zone, with letters in random case', async (t) => {
    const house = await startHouse(t)
    const authority = await startNsd(t)
    const unbound = await startUnbound(t, {
      authority: authority.port,
      more: {
        server: `  domain-insecure: "btlink."
  private-domain: "btlink."
  private-address: 127.0.0.0/8
  use-caps-for-id: yes`,
        sections: `stub-zone:
  name: "btlink."
  stub-addr: 127.0.0.1@${house.port}
  stub-first: no`,
      },
    })
    await seesOurNames(unbound.port)
    assert.deepEqual(house.upstream.asked, [])
  })

  it('gives dnsmasq its zone, past its guard against private addresses', async (t) => {
    const house = await startHouse(t)
    const authority = await startNsd(t)
    const dnsmasq = await startDnsmasq(t, authority.port, [
      `--server=/btlink/127.0.0.1#${house.port}`,
      '--stop-dns-rebind',
      // The tests' zone has addresses that dnsmasq takes for private.
      '--rebind-domain-ok=/btlink/example.test/',
    ])
    await seesOurNames(dnsmasq.port)
    assert.deepEqual(house.upstream.asked, [])
  })
})
