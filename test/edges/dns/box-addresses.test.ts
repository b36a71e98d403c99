import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { describe, it } from 'node:test'
import { ipText } from '../../../src/base/ip-address.ts'
import {
  type BoxAddresses,
  createBoxAddresses,
  unmapped,
} from '../../../src/edges/dns/box-addresses.ts'

const at = (cidr: string, internal = false): NetworkInterfaceInfo => {
  const [address = ''] = cidr.split('/')
  const rest = { address, cidr, netmask: '', mac: '', internal }
  return address.includes(':')
    ? { ...rest, family: 'IPv6', scopeid: 0 }
    : { ...rest, family: 'IPv4' }
}

const INTERFACES = {
  lo: [at('127.0.0.1/8', true), at('::1/128', true)],
  wan: [at('203.0.113.5/24')],
  eth0: [at('192.168.1.5/24'), at('2001:db8:1::5/64'), at('fd00:1::5/64'), at('fe80::5/64')],
  wlan0: [at('10.0.0.5/8'), at('fe80::6/64')],
}

const text = ({ v4, v6 }: BoxAddresses): string[] =>
  [v4, v6].map((one) => (one ? ipText(one) : '-'))

describe('where a client finds the box', () => {
  const book = createBoxAddresses(
    () => 0,
    () => INTERFACES,
  )

  for (const [client, v4, v6] of [
    ['192.168.1.77', '192.168.1.5', '2001:db8:1::5'],
    ['10.200.3.4', '10.0.0.5', '-'],
    ['fd00:1::9', '192.168.1.5', 'fd00:1::5'],
    ['2001:db8:1::9', '192.168.1.5', '2001:db8:1::5'],
    ['fe80::9%wlan0', '10.0.0.5', '-'],
    ['fe80::9%eth0', '192.168.1.5', '2001:db8:1::5'],
    ['127.0.0.1', '127.0.0.1', '::1'],
  ] as const) {
    it(`is ${v4} and ${v6} for ${client}, who came to a socket of all addresses`, () => {
      assert.deepEqual(text(book.seenBy(client)), [v4, v6])
    })
  }

  it('is its first private network for who came through a router, or from nowhere', () => {
    for (const client of ['172.16.9.9', '198.51.100.1', 'fe80::9%gone', 'nonsense', '']) {
      const [v4] = text(book.seenBy(client))
      assert.ok(v4 === '192.168.1.5' || v4 === '127.0.0.1', `${client} ${v4}`)
    }
    assert.deepEqual(text(book.seenBy('172.16.9.9')), ['192.168.1.5', 'fd00:1::5'])
  })

  it('is forgotten for clients beyond a thousand', () => {
    for (let one = 0; one < 3000; one++) book.seenBy(`10.1.${one >> 8}.${one & 255}`)
    assert.deepEqual(text(book.seenBy('192.168.1.77')), ['192.168.1.5', '2001:db8:1::5'])
  })

  it('takes an IPv4 client of a socket of both kinds for what it is', () => {
    assert.equal(unmapped('::ffff:192.168.1.9'), '192.168.1.9')
    assert.equal(unmapped('::ffff:1'), '::ffff:1')
    assert.equal(unmapped('fe80::1%eth0'), 'fe80::1%eth0')
  })
})
