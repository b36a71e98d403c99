import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseAuthority, writeAuthority } from '../../../src/edges/proxy/authority.ts'
import { isPublicAddress } from '../../../src/edges/proxy/public-address.ts'

describe('host and port', () => {
  it('are read in their usual forms', () => {
    const cases: [string, number | undefined, object][] = [
      ['Example.COM.:443', undefined, { host: 'example.com', port: 443, isAddress: false }],
      ['example.com', 80, { host: 'example.com', port: 80, isAddress: false }],
      ['example.com:', 80, { host: 'example.com', port: 80, isAddress: false }],
      ['x_y.a-b.example:1', undefined, { host: 'x_y.a-b.example', port: 1, isAddress: false }],
      ['192.0.2.1:80', undefined, { host: '192.0.2.1', port: 80, isAddress: true }],
      ['[2001:DB8:0:0::1]:80', undefined, { host: '2001:db8::1', port: 80, isAddress: true }],
      ['a.btlink:65535', undefined, { host: 'a.btlink', port: 65_535, isAddress: false }],
    ]
    for (const [text, port, expected] of cases)
      assert.deepEqual(parseAuthority(text, port), expected)
  })

  it('are not read where two programs could differ', () => {
    const shelf = [
      '',
      ':80',
      'a:0',
      'a:65536',
      'a:080808',
      'a:+80',
      'a:80 ',
      'a..b:80',
      '.a:80',
      '-a:80',
      'a-:80',
      'a@b:80',
      'a/b:80',
      'a b:80',
      'a\tb:80',
      'ａ.example:80',
      '1.2.3:80',
      '1.2.3.4.5:80',
      '256.1.1.1:80',
      '01.2.3.4:80',
      '0x1.2.3.4:80',
      'a.0x7f:80',
      'example.1:80',
      '[1.2.3.4]:80',
      '[::1',
      '::1:80',
      '[::1]x:80',
      '[fe80::1%eth0]:80',
      '[::1]]:80',
      '[]:80',
      `${'a'.repeat(64)}.example:80`,
      `${'a.'.repeat(127)}aa:80`,
      'a\u212A.example:80',
    ]
    for (const text of shelf) assert.equal(parseAuthority(text), undefined, text)
  })

  it('are one spelling each: what was read is written and read as the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webAuthority(),
          fc.ipV4(),
          fc.ipV6().map((v6) => `[${v6}]`),
          fc.string(),
        ),
        (text) => {
          const read = parseAuthority(text, 80)
          if (read === undefined) return
          assert.equal(isIP(read.host) !== 0, read.isAddress)
          assert.deepEqual(parseAuthority(writeAuthority(read)), read)
          assert.deepEqual(parseAuthority(writeAuthority(read, 80), 80), read)
          // A browser that reads the same text would go to the same place.
          assert.equal(
            new URL(`http://${writeAuthority(read)}/`).hostname.replace(/^\[|\]$/g, ''),
            read.host,
          )
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe('public addresses', () => {
  it('are those of the internet', () => {
    for (const address of [
      '1.1.1.1',
      '8.8.8.8',
      '100.63.255.255',
      '100.128.0.1',
      '172.15.255.255',
      '172.32.0.1',
      '192.0.1.1',
      '198.17.255.255',
      '198.20.0.1',
      '223.255.255.255',
      '2606:4700::1111',
      '2a00:1450::1',
      '2001:200::1',
      '64:ff9b::8.8.8.8',
    ]) {
      assert.equal(isPublicAddress(address), true, address)
    }
  })

  it('are none of the rest, whatever bytes they have', () => {
    for (const address of [
      '',
      'x',
      '::ffff:8.8.8.8',
      '::8.8.8.8',
      '1fff::1',
      '4000::1',
      '3fff::1',
      '5f00::1',
    ]) {
      assert.equal(isPublicAddress(address), false, address)
    }
    fc.assert(
      fc.property(fc.ipV4(), (v4) => {
        // No disguise of an address is public where the address is not.
        if (isPublicAddress(v4)) return
        for (const worn of [`::ffff:${v4}`, `64:ff9b::${v4}`, `::${v4}`]) {
          assert.equal(isPublicAddress(worn), false, worn)
        }
      }),
    )
  })
})
