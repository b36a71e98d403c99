import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromHex, utf8 } from '../../../src/base/bytes.ts'
import { infoHash, publicKey } from '../../../src/base/hashes.ts'
import { parseLinkValue, readLinkRecords } from '../../../src/base/names/index.ts'

const IH = '9a0df2a4500d65ab0b58e4ad3ef7c55576ca88f1'
const IH2 = '1111111111111111111111111111111111111111'
const KEY = '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548'
const K = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'
const torrent = { kind: 'infohash', infoHash: infoHash(IH) } as const
const site = (salt: Uint8Array) => ({ kind: 'key', publicKey: publicKey(KEY), salt }) as const
const tld = 'btlink'
const nameOf = (value: string) => parseLinkValue(value, tld).name

describe('a link record', () => {
  for (const [value, name] of [
    [`magnet:?xt=urn:btih:${IH}`, torrent],
    ['magnet:?xt=urn:btih:TIG7FJCQBVS2WC2Y4SWT556FKV3MVCHR', torrent],
    [`magnet:?xs=urn:btpk:${KEY}`, site(utf8(''))],
    [`magnet:?xs=urn:btpk:${KEY}&s=00ff`, site(fromHex('00ff'))],
    [`magnet:?xt=urn:btih:${IH}&xs=urn:btpk:${KEY}`, site(utf8(''))],
    [`${IH}-ih.btlink`, torrent],
    [`${IH.toUpperCase()}-IH.BTLINK`, torrent],
    [`${K}-pk.btlink`, site(utf8(''))],
    [`${K}-pk.btlink.`, site(utf8(''))],
    [`https://${K}-pk.btlink`, site(utf8(''))],
    [`http://${K}-pk.btlink./`, site(utf8(''))],
    [`btlink://${K}-pk.btlink`, site(utf8(''))],
    [`a.b.${K}-pk.btlink`, site(utf8('a.b'))],
    [`my-site-${K}-pk.btlink`, site(utf8('my-site'))],
    [`a.b-${K}-pk.btlink`, site(utf8('a.b'))],
    [`x00ff.${K}-pk.btlink`, site(fromHex('00ff'))],
    [`c.${K}.pk.btlink`, site(utf8('c'))],
    [`${K}-pk.btlink.gw.example`, site(utf8(''))],
    [`dnslink=${IH}-ih.btlink`, torrent],
    [`DNSLINK= magnet:?xt=urn:btih:${IH}`, torrent],
    [`  ${IH}-ih.btlink\n`, torrent],
  ] as const) {
    it(`names a site: ${JSON.stringify(value.replace(K, 'K'))}`, () => {
      assert.deepEqual(nameOf(value), name)
    })
  }

  for (const [value, code] of [
    ['', 'BTL_ERR_BASE_BAD_VALUE'],
    ['v=spf1 -all', 'BTL_ERR_BASE_BAD_VALUE'],
    ['example.com', 'BTL_ERR_BASE_BAD_VALUE'],
    ['btlink', 'BTL_ERR_BASE_BAD_VALUE'],
    ['dnslink=/ipfs/bafybeigdyrzt', 'BTL_ERR_BASE_BAD_VALUE'],
    [IH, 'BTL_ERR_BASE_BAD_VALUE'],
    ['foo.btlink', 'BTL_ERR_BASE_BAD_NAME'],
    [`${IH}-ih.btlink/path`, 'BTL_ERR_BASE_BAD_VALUE'],
    [`abc-pk.btlink`, 'BTL_ERR_BASE_BAD_NAME'],
    ['magnet:?xt=urn:btih:abc', 'BTL_ERR_BASE_BAD_MAGNET'],
  ] as const) {
    it(`is refused with ${code}: ${JSON.stringify(value)}`, () => {
      assert.throws(() => nameOf(value), { code, statusCode: 400 })
    })
  }

  it('hands over the hints of its magnet', () => {
    const { hints } = parseLinkValue(`magnet:?xt=urn:btih:${IH}&x.pe=10.0.0.1:6881`, tld)
    assert.deepEqual(hints.peers, [{ host: '10.0.0.1', port: 6881 }])
  })
})

describe('the link records of a domain', () => {
  const read = (...records: string[][]) => readLinkRecords(records, tld)

  it('are each joined from their strings without separator', () => {
    const magnet = `magnet:?xt=urn:btih:${IH}&${'tr=udp://tracker.example:1/&'.repeat(12)}dn=x`
    assert.ok(magnet.length > 255)
    assert.deepEqual(read([magnet.slice(0, 255), magnet.slice(255)])?.name, torrent)
    assert.deepEqual(read([`${IH}-`, 'ih.bt', 'link'])?.name, torrent)
  })

  it('are tried in sorted order, so that the answer’s order does not matter', () => {
    const [a, b] = [[`${IH2}-ih.btlink`], [`${IH}-ih.btlink`]]
    const first = { kind: 'infohash', infoHash: infoHash(IH2) }
    assert.deepEqual(read(a, b)?.name, first)
    assert.deepEqual(read(b, a)?.name, first)
  })

  it('count where others beside them are unsound', () => {
    const found = read(['v=spf1 -all'], [''], ['0'], [], ['magnet:?dn=x'], [`${IH}-ih.btlink`])
    assert.deepEqual(found?.name, torrent)
  })

  it('are none where none is sound', () => {
    assert.equal(read(), undefined)
    assert.equal(read([]), undefined)
    assert.equal(read(['foo.btlink'], ['magnet:?']), undefined)
    assert.equal(read([`${IH}-ih.btlink`, ' '.repeat(20_000)]), undefined)
  })

  it('follow the configured top-level label', () => {
    assert.deepEqual(readLinkRecords([[`${IH}-ih.bt2`]], 'bt2')?.name, torrent)
    assert.equal(readLinkRecords([[`${IH}-ih.btlink`]], 'bt2'), undefined)
  })
})
