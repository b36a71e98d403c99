import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeBase32 } from '../../../src/base/names/base32.ts'
import { fromHex, toHex, utf8 } from '../../../src/base/bytes.ts'
import { infoHash, publicKey, target } from '../../../src/base/hashes.ts'
import { type Name, parseMagnet, writeMagnet } from '../../../src/base/names/index.ts'

const IH = '9a0df2a4500d65ab0b58e4ad3ef7c55576ca88f1'
const KEY = '8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e'
const torrent = { kind: 'infohash', infoHash: infoHash(IH) } as const
const site = (salt = '') =>
  ({ kind: 'key', publicKey: publicKey(KEY), salt: fromHex(salt) }) as const
const noHints = { trackers: [], webSeeds: [], peers: [] }

describe('a magnet link', () => {
  it('names a torrent by 40 hex digits', () => {
    assert.deepEqual(parseMagnet(`magnet:?xt=urn:btih:${IH}`), { name: torrent, hints: noHints })
    assert.deepEqual(parseMagnet(`MAGNET:?XT=URN:BTIH:${IH.toUpperCase()}`).name, torrent)
    assert.deepEqual(parseMagnet(`magnet:?xt=urn%3Abtih%3A${IH}`).name, torrent)
    assert.deepEqual(parseMagnet(`magnet:?dn=x&xt.1=urn:btih:${IH}`).name, torrent)
  })

  it('names a torrent by 32 digits of base32', () => {
    const text = encodeBase32(fromHex(IH), 'base32')
    assert.equal(text.length, 32)
    assert.deepEqual(parseMagnet(`magnet:?xt=urn:btih:${text}`).name, torrent)
    assert.deepEqual(parseMagnet(`magnet:?xt=urn:btih:${text.toUpperCase()}`).name, torrent)
  })

  it('names a key, as in BEP 46, with and without salt', () => {
    assert.deepEqual(parseMagnet(`magnet:?xs=urn:btpk:${KEY}`).name, site())
    assert.deepEqual(parseMagnet(`magnet:?xs=urn:btpk:${KEY}&s=6e`).name, site('6e'))
    assert.deepEqual(
      parseMagnet(`magnet:?s=00FF&xs=urn:btpk:${KEY.toUpperCase()}`).name,
      site('00ff'),
    )
    assert.deepEqual(parseMagnet(`magnet:?xs=urn:btpk:${KEY}&s=`).name, site())
  })

  it('that names both is the key’s, whichever comes first', () => {
    const [xt, xs] = [`xt=urn:btih:${IH}`, `xs=urn:btpk:${KEY}`]
    assert.deepEqual(parseMagnet(`magnet:?${xt}&${xs}`).name, site())
    assert.deepEqual(parseMagnet(`magnet:?${xs}&${xt}`).name, site())
  })

  it('may have a torrent file as its exact source', () => {
    const text = `magnet:?xs=http://example.com/a.torrent&xt=urn:btih:${IH}`
    assert.deepEqual(parseMagnet(text).name, torrent)
  })

  it('of a hybrid torrent is read by its v1 topic', () => {
    const text = `magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}&xt=urn:btih:${IH}`
    assert.deepEqual(parseMagnet(text).name, torrent)
  })

  it('keeps trackers, web seeds and peers that are sound, each once', () => {
    const { hints } = parseMagnet(
      [
        `magnet:?xt=urn:btih:${IH}`,
        'tr=udp%3A%2F%2Ftracker.example%3A6969%2Fannounce',
        'tr=udp://tracker.example:6969/announce',
        'tr.2=wss://tracker.example/',
        'tr=javascript:alert(1)',
        'tr=file:///etc/passwd',
        'tr=http://user:secret@tracker.example/announce',
        'tr=%E0%A4%A',
        'tr=',
        'ws=https://seed.example/a%2520b/#top',
        'ws=ftp://seed.example/',
        'ws=http://',
        'x.pe=10.0.0.1:6881',
        'x.pe=10.0.0.1:6881',
        'x.pe=%5B2001%3Adb8%3A%3A1%5D%3A51413',
        'x.pe=[2001:DB8:0::1]:51413',
        'x.pe=tracker.example:80',
        'x.pe=10.0.0.1:0',
        'x.pe=10.0.0.1:65536',
        'x.pe=256.0.0.1:80',
        'x.pe=1.2.3:80',
        'x.pe=[::g]:80',
        'x.pe=[::1:80',
        'x.pe=::1:80',
      ].join('&'),
    )
    assert.deepEqual(hints, {
      trackers: ['udp://tracker.example:6969/announce', 'wss://tracker.example/'],
      webSeeds: ['https://seed.example/a%20b/'],
      peers: [
        { host: '10.0.0.1', port: 6881 },
        { host: '2001:db8::1', port: 51413 },
      ],
    })
  })

  it('keeps at most 20 hints of a kind', () => {
    const many = Array.from({ length: 60 }, (_, i) => [
      `tr=udp://t${i}.example:1/`,
      `ws=http://w${i}.example/`,
      `x.pe=10.0.0.${i}:1`,
    ]).flat()
    const { hints } = parseMagnet(`magnet:?xt=urn:btih:${IH}&${many.join('&')}`)
    assert.equal(hints.trackers?.length, 20)
    assert.equal(hints.webSeeds?.length, 20)
    assert.equal(hints.peers?.length, 20)
  })

  it('shows its title without control and direction characters', () => {
    const title = (dn: string) => parseMagnet(`magnet:?xt=urn:btih:${IH}&dn=${dn}`).title
    assert.equal(title('Big+Buck%20Bunny'), 'Big Buck Bunny')
    assert.equal(title('a%00b%0D%0A%E2%80%AEc'), 'abc')
    assert.equal(title('%20%20'), undefined)
    assert.equal(title('x'.repeat(3000))?.length, 255)
    assert.equal(title(encodeURIComponent('M\u00fcsli \u{1f980}')), 'M\u00fcsli \u{1f980}')
  })

  for (const [text, fault] of [
    ['', /does not begin with "magnet:\?"/],
    ['http://example.com/', /does not begin/],
    ['magnet:', /does not begin/],
    ['magnet:?', /neither xt=urn:btih: nor xs=urn:btpk:/],
    ['magnet:?dn=x', /neither xt=urn:btih:/],
    ['magnet:?xt=urn:sha1:AAAA', /neither xt=urn:btih:/],
    [`magnet:?xt=urn:btih:${IH.slice(1)}`, /40 hex digits or 32 of base32/],
    [`magnet:?xt=urn:btih:${IH}0`, /40 hex digits or 32 of base32/],
    [`magnet:?xt=urn:btih:${'1'.repeat(32)}`, /40 hex digits or 32 of base32/],
    [`magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}`, /a v2 torrent only/],
    [`magnet:?xs=urn:btpk:${KEY.slice(1)}`, /64 hex digits/],
    [`magnet:?xs=urn:btpk:${KEY}&s=6`, /salt in hex/],
    [`magnet:?xs=urn:btpk:${KEY}&s=blog`, /salt in hex/],
    [`magnet:?xs=urn:btpk:${KEY}&s=${'00'.repeat(65)}`, /65 bytes, 64 is the most/],
    [`magnet:?xs=urn:btpk:${KEY.slice(1)}&xt=urn:btih:${IH}`, /64 hex digits/],
    [`magnet:?dn=${'x'.repeat(20_000)}`, /over 16384 characters/],
  ] as const) {
    it(`gets a 400 that names the fault: ${text.slice(0, 60)}`, () => {
      const expected = { code: 'BTL_ERR_BASE_BAD_MAGNET', statusCode: 400, message: fault }
      assert.throws(() => parseMagnet(text), expected)
    })
  }

  it('of any text is read or refused by code, in no more than a moment', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `magnet:?xt=urn:btih:${IH}&${rest}`),
      fc.webQueryParameters().map((rest) => `magnet:?${rest}`),
    )
    fc.assert(
      fc.property(text, (magnet) => {
        try {
          parseMagnet(magnet)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BTL_ERR_BASE_BAD_MAGNET')
        }
      }),
    )
  })
})

describe('writeMagnet', () => {
  it('writes the plain links of a torrent and of a key', () => {
    assert.equal(writeMagnet(torrent), `magnet:?xt=urn:btih:${IH}`)
    assert.equal(writeMagnet(site()), `magnet:?xs=urn:btpk:${KEY}`)
    assert.equal(writeMagnet(site('6e')), `magnet:?xs=urn:btpk:${KEY}&s=6e`)
  })

  it('writes hints in the order dn, tr, ws, x.pe', () => {
    const text = writeMagnet(torrent, {
      title: 'A & B',
      hints: {
        peers: [
          { host: '10.0.0.1', port: 1 },
          { host: '::1', port: 2 },
        ],
        webSeeds: ['https://seed.example/?a=b'],
        trackers: ['udp://tracker.example:6969/'],
      },
    })
    assert.equal(
      text,
      `magnet:?xt=urn:btih:${IH}&dn=A%20%26%20B` +
        '&tr=udp%3A%2F%2Ftracker.example%3A6969%2F&ws=https%3A%2F%2Fseed.example%2F%3Fa%3Db' +
        '&x.pe=10.0.0.1%3A1&x.pe=%5B%3A%3A1%5D%3A2',
    )
  })

  it('writes what parseMagnet reads', () => {
    const name: fc.Arbitrary<Name> = fc.oneof(
      fc
        .uint8Array({ minLength: 20, maxLength: 20 })
        .map((hash) => ({ kind: 'infohash', infoHash: infoHash(toHex(hash)) }) as const),
      fc
        .record({
          key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
          salt: fc.uint8Array({ maxLength: 64 }),
        })
        .map(({ key, salt }) => ({ kind: 'key', publicKey: publicKey(toHex(key)), salt }) as const),
    )
    const hints = fc.record({
      trackers: fc.uniqueArray(
        fc.webUrl().map((url) => new URL(url).href),
        { maxLength: 3 },
      ),
      webSeeds: fc.uniqueArray(
        fc.webUrl().map((url) => new URL(url).href),
        { maxLength: 3 },
      ),
      peers: fc.uniqueArray(
        fc
          .tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }))
          .map(([host, port]) => ({ host, port })),
        { maxLength: 3, selector: ({ host, port }) => `${host}:${port}` },
      ),
    })
    const title = fc.string({
      unit: fc.constantFrom('a', ' ', '+', '&', '=', '%', '?', '#', '\u00fc', '\u{1f980}'),
      minLength: 1,
    })
    fc.assert(
      fc.property(name, hints, title, (name, hints, title) => {
        const read = parseMagnet(writeMagnet(name, { title, hints }))
        assert.deepEqual(read.name, name)
        assert.deepEqual(read.hints, { ...hints })
        assert.equal(read.title ?? '', title.trim())
      }),
    )
  })

  it('refuses an immutable item', () => {
    assert.throws(() => writeMagnet({ kind: 'immutable', target: target(IH) }), {
      code: 'BTL_ERR_BASE_UNWRITABLE_NAME',
      statusCode: 400,
    })
  })

  it('escapes a title that is no well-formed text', () => {
    assert.equal(parseMagnet(writeMagnet(torrent, { title: 'a\ud800' })).title, 'a\ufffd')
  })

  it('keeps a salt of any bytes', () => {
    assert.equal(writeMagnet(site(toHex(utf8('M\u00fc')))), `magnet:?xs=urn:btpk:${KEY}&s=4dc3bc`)
  })
})
