import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8 } from '../../../src/base/bytes.ts'
import { infoHash, publicKey, target } from '../../../src/base/hashes.ts'
import { parseName } from '../../../src/base/names/index.ts'

const IH = '9a0df2a4500d65ab0b58e4ad3ef7c55576ca88f1'
const KEY = '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548'
const K = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'
const torrent = { kind: 'infohash', infoHash: infoHash(IH) } as const
const site = (salt = '') => ({ kind: 'key', publicKey: publicKey(KEY), salt: utf8(salt) }) as const
const domain = (host: string) => ({ kind: 'domain', host }) as const

describe('a typed name', () => {
  for (const [text, name, path] of [
    [IH, torrent, '/'],
    [IH.toUpperCase(), torrent, '/'],
    ['TIG7FJCQBVS2WC2Y4SWT556FKV3MVCHR', torrent, '/'],
    [` ${IH}\n`, torrent, '/'],
    [`${IH}-ih.btlink`, torrent, '/'],
    [`${IH}-ih`, torrent, '/'],
    [`${K}-pk`, site(), '/'],
    [`blog.${K}-pk`, site('blog'), '/'],
    [`blog-${K}-pk.btlink/a/b`, site('blog'), '/a/b'],
    [`http://blog.${K}-pk.btlink.localhost:42080/a%20b?x=1#y`, site('blog'), '/a%20b'],
    [`HTTPS://${IH}-IH.BTLINK./`, torrent, '/'],
    [`btlink://${IH}-ih/index.html`, torrent, '/index.html'],
    [`${IH}-44`, { kind: 'immutable', target: target(IH) }, '/'],
    [`${IH}.ih.btlink/x`, torrent, '/x'],
    [`www.${IH}-ih.btlink`, torrent, '/'],
    [`${IH}-ih.btlink?a/b`, torrent, '/'],
    [`magnet:?xt=urn:btih:${IH}`, torrent, '/'],
    [`magnet:?xs=urn:btpk:${KEY}&s=626c6f67`, site('blog'), '/'],
    ['btlink', { kind: 'root' }, '/'],
    ['http://btlink.localhost:42080/', { kind: 'root' }, '/'],
    ['chromecast.link', domain('chromecast.link'), '/'],
    ['https://Chromecast.LINK./a', domain('chromecast.link'), '/a'],
    ['b\u00fccher.example', domain('xn--bcher-kva.example'), '/'],
    ['example.com:8080/x', domain('example.com'), '/x'],
  ] as const) {
    it(`is read: ${JSON.stringify(text.replace(K, 'K'))}`, () => {
      const parsed = parseName(text, 'btlink')
      assert.deepEqual(parsed.name, name)
      assert.equal(parsed.path, path)
    })
  }

  it('brings the title and the hints of a magnet', () => {
    const parsed = parseName(`magnet:?xt=urn:btih:${IH}&dn=x&ws=http://seed.example/`, 'btlink')
    assert.equal(parsed.title, 'x')
    assert.deepEqual(parsed.hints.webSeeds, ['http://seed.example/'])
  })

  for (const [text, code] of [
    ['', 'BTL_ERR_BASE_BAD_VALUE'],
    ['/', 'BTL_ERR_BASE_BAD_VALUE'],
    ['blog', 'BTL_ERR_BASE_BAD_VALUE'],
    ['localhost', 'BTL_ERR_BASE_BAD_VALUE'],
    ['192.168.1.1', 'BTL_ERR_BASE_BAD_VALUE'],
    ['http://[::1]/', 'BTL_ERR_BASE_BAD_VALUE'],
    ['ftp://example.com/', 'BTL_ERR_BASE_BAD_VALUE'],
    [`user:pass@${IH}-ih.btlink`, 'BTL_ERR_BASE_BAD_VALUE'],
    ['a b.example', 'BTL_ERR_BASE_BAD_VALUE'],
    [KEY, 'BTL_ERR_BASE_BAD_VALUE'],
    [K, 'BTL_ERR_BASE_BAD_VALUE'],
    [IH.slice(1), 'BTL_ERR_BASE_BAD_VALUE'],
    [`${IH.slice(1)}-ih`, 'BTL_ERR_BASE_BAD_NAME'],
    ['foo.btlink', 'BTL_ERR_BASE_BAD_NAME'],
    ['-pk', 'BTL_ERR_BASE_BAD_NAME'],
    ['magnet:?dn=x', 'BTL_ERR_BASE_BAD_MAGNET'],
  ] as const) {
    it(`is refused with ${code}: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseName(text, 'btlink'), { code, statusCode: 400 })
    })
  }
})
