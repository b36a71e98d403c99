import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { trackerUrls, webSeedUrls } from '../../src/base/hint-urls.ts'
import { formatPeerAddress, parsePeerAddress } from '../../src/base/peer-address.ts'

describe('a peer address', () => {
  it('comes back as it was written', () => {
    const port = fc.integer({ min: 1, max: 65_535 })
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((ip) => new URL(`http://[${ip}]/`).hostname.slice(1, -1)),
    )
    fc.assert(
      fc.property(host, port, (host, port) => {
        assert.deepEqual(parsePeerAddress(formatPeerAddress({ host, port })), { host, port })
      }),
    )
  })

  for (const text of [
    '',
    ':80',
    '1.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:0',
    '1.2.3.4:65536',
    '1.2.3.4:-1',
    '1.2.3.4:80 ',
    '1.2.3:80',
    '1.2.3.4.5:80',
    '256.1.1.1:80',
    '01.2.3.4:80',
    '1.2.3.4.:80',
    '0x7f.1:80',
    '2130706433:80',
    'localhost:80',
    'example.com:80',
    '[]:80',
    '[::1]',
    '[::1]:',
    '::1:80',
    '[::1%25eth0]:80',
    '[1.2.3.4]:80',
    '[::g]:80',
    '[::1]:80/',
    `[${'1:'.repeat(40)}]:80`,
  ]) {
    it(`is not ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.equal(parsePeerAddress(text), undefined)
    })
  }
})

describe('the URLs of hints', () => {
  it('are those of the protocols that peers speak', () => {
    const all = [
      'udp://a.b:1',
      'http://a.b/',
      'https://a.b/',
      'ws://a.b/',
      'wss://a.b/',
      'ftp://a.b/',
      'file:///x',
      'data:x',
      'nonsense',
    ]
    assert.deepEqual(trackerUrls(all), all.slice(0, 5))
    assert.deepEqual(webSeedUrls(all), all.slice(1, 3))
  })

  it('have no credentials, no fragment and no more than 1024 characters', () => {
    const urls = [
      'http://a:b@c.d/',
      'http://a@c.d/',
      `http://c.d/${'x'.repeat(1024)}`,
      'http://c.d/#top',
    ]
    assert.deepEqual(webSeedUrls(urls), ['http://c.d/'])
  })
})
