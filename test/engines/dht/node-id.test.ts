import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../src/base/bytes.ts'
import {
  canonicalHost,
  isLocal,
  isUsable,
  packPeer,
  parseHostPort,
  payerKey,
  unpackPeer,
} from '../../../src/engines/dht/address.ts'
import { createExternalAddress } from '../../../src/engines/dht/external-address.ts'
import {
  compareDistance,
  idInBucket,
  isSecureId,
  secureId,
  sharedBits,
} from '../../../src/engines/dht/node-id.ts'

describe('node ids', () => {
  // BEP 42, test vectors: address, last byte, id.
  const vectors: [string, number, string][] = [
    ['124.31.75.21', 1, '5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401'],
    ['21.75.31.124', 86, '5a3ce9c14e7a08645677bbd1cfe7d8f956d53256'],
    ['65.23.51.170', 22, 'a5d43220bc8f112a3d426c84764f8c2a1150e616'],
    ['84.124.73.14', 65, '1b0321dd1bb1fe518101ceef99462b947a01ff41'],
    ['43.213.53.83', 90, 'e56f6cbf5b7c4be0237986d5243b87aa6d51305a'],
  ]
  for (const [host, seed, hex] of vectors) {
    it(`bind the address ${host} as BEP 42 does`, () => {
      assert.ok(isSecureId(fromHex(hex), host))
      assert.ok(!isSecureId(fromHex(hex), '8.8.8.8'))
      const made = secureId(host, randomBytes, seed)
      assert.equal(toHex(made).slice(0, 5), hex.slice(0, 5))
      assert.ok(isSecureId(made, host))
    })
  }

  it('bind IPv6 addresses by their /64, and local ones not at all', () => {
    const id = secureId('2001:db8:1:2::5', randomBytes)
    assert.ok(isSecureId(id, '2001:db8:1:2:ffff::1'))
    assert.ok(isSecureId(randomBytes(20), '192.168.1.1'))
    assert.ok(isSecureId(randomBytes(20), '::1'))
  })

  it('fall into the bucket that was asked for', () => {
    const id = randomBytes(20)
    for (const bits of [0, 1, 7, 8, 100, 158])
      assert.equal(sharedBits(id, idInBucket(id, bits, randomBytes)), bits)
  })

  it('are ordered by XOR distance', () => {
    const distance = (a: Uint8Array, b: Uint8Array) =>
      BigInt(`0x${toHex(a)}`) ^ BigInt(`0x${toHex(b)}`)
    const id = fc.uint8Array({ minLength: 20, maxLength: 20 })
    fc.assert(
      fc.property(id, id, id, (target, a, b) => {
        const expected = distance(target, a) - distance(target, b)
        assert.equal(Math.sign(compareDistance(target, a, b)), Math.sign(Number(expected)))
      }),
    )
  })
})

describe('addresses', () => {
  it('survive being packed', () => {
    const port = fc.integer({ min: 0, max: 65535 })
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (host, number) => {
        const canonical = canonicalHost(host)
        assert.ok(canonical)
        const read = unpackPeer(packPeer({ host, port: number }))
        assert.deepEqual(read, { host: canonical, port: number })
      }),
    )
    assert.equal(canonicalHost('2001:DB8:0:0::0:1'), '2001:db8::1')
    assert.equal(canonicalHost('fe80::1%eth0'), 'fe80::1')
    assert.equal(canonicalHost('example.com'), undefined)
  })

  it('of households and loopback are local', () => {
    const local = ['127.0.0.1', '10.1.2.3', '172.20.0.1', '192.168.0.1', '169.254.1.1']
    for (const host of [...local, '100.64.0.1', '::1', 'fe80::1', 'fd00::1'])
      assert.ok(isLocal(host), host)
    for (const host of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2001:db8::1'])
      assert.ok(!isLocal(host), host)
  })

  it('that cannot be nodes are refused, local ones unless allowed', () => {
    const refused = ['0.0.0.0', '224.0.0.1', '255.255.255.255', '::', 'ff02::1', '::ffff:8.8.8.8']
    for (const host of [...refused, 'localhost'])
      assert.ok(!isUsable({ host, port: 1 }, true), host)
    assert.ok(!isUsable({ host: '8.8.8.8', port: 0 }, true))
    assert.ok(!isUsable({ host: '127.0.0.1', port: 1 }, false))
    assert.ok(isUsable({ host: '127.0.0.1', port: 1 }, true))
    assert.ok(isUsable({ host: '8.8.8.8', port: 1 }, false))
  })

  it('of one IPv6 /64 pay together', () => {
    const key = (host: string) => payerKey({ host, port: 1 })
    assert.equal(key('2001:db8::1'), key('2001:db8::ffff'))
    assert.notEqual(key('2001:db8::1'), key('2001:db8:0:1::1'))
  })

  it('are read from host:port', () => {
    assert.deepEqual(parseHostPort('router.example:6881'), { host: 'router.example', port: 6881 })
    assert.deepEqual(parseHostPort('[::1]:1'), { host: '::1', port: 1 })
    for (const bad of ['host', 'host:0', 'host:99999', '::1', ':1'])
      assert.equal(parseHostPort(bad), undefined)
  })
})

describe('the external address', () => {
  it('is believed when enough networks agree', () => {
    const external = createExternalAddress()
    for (const voter of ['1.1.1.1', '2.2.2.2', '3.3.3.3'])
      assert.equal(external.vote(voter, '9.9.9.9'), undefined)
    assert.equal(external.vote('4.4.4.4', '9.9.9.9'), '9.9.9.9')
    assert.equal(external.host(), '9.9.9.9')
  })

  it('is not for one network to decide', () => {
    const external = createExternalAddress()
    for (let at = 0; at < 200; at++) external.vote(`5.5.${at}.1`, '6.6.6.6')
    assert.equal(external.host(), undefined)
  })
})
