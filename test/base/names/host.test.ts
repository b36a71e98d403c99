import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromHex, latin1, toHex, utf8 } from '../../../src/base/bytes.ts'
import { infoHash, publicKey, target } from '../../../src/base/hashes.ts'
import {
  type BtlinkHost,
  hostOf,
  hyphenHostOf,
  type KeyName,
  parseHost,
} from '../../../src/base/names/index.ts'
import { keyVectors } from '../../vectors/names.ts'

const IH = '9a0df2a4500d65ab0b58e4ad3ef7c55576ca88f1'
const KEY = '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548'
const K = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'
const tld = 'btlink'

const read = (host: string): BtlinkHost => parseHost(host, { tld })

function keyName(salt: Uint8Array | string): KeyName {
  const bytes = typeof salt === 'string' ? utf8(salt) : salt
  return { kind: 'key', publicKey: publicKey(KEY), salt: bytes }
}

function saltOf(host: string): string {
  const name = read(host)
  assert.equal(name.kind, 'key', `${host} is ${name.kind}`)
  assert.ok(name.kind === 'key')
  assert.equal(name.publicKey, KEY)
  return latin1(name.salt)
}

describe('a host name', () => {
  it('of 40 hex digits and -ih is a torrent, in either case', () => {
    const expected = { kind: 'infohash', infoHash: infoHash(IH), gatewaySuffix: '' }
    assert.deepEqual(read(`${IH}-ih.btlink`), expected)
    assert.deepEqual(read(`${IH.toUpperCase()}-IH.BtLink`), expected)
  })

  it('of 40 hex digits and -44 is an immutable item', () => {
    const expected = { kind: 'immutable', target: target(IH), gatewaySuffix: '' }
    assert.deepEqual(read(`${IH}-44.btlink`), expected)
  })

  for (const { title, hex, base36 } of keyVectors) {
    it(`of base36 and -pk is a key: ${title}`, () => {
      for (const text of [base36, base36.toUpperCase()]) {
        const name = read(`${text}-pk.btlink`)
        assert.deepEqual(name, {
          kind: 'key',
          publicKey: publicKey(hex),
          salt: new Uint8Array(0),
          gatewaySuffix: '',
        })
      }
    })
  }

  it('is the root page where nothing stands left of the top-level label', () => {
    assert.deepEqual(read('btlink'), { kind: 'root', gatewaySuffix: '' })
    assert.deepEqual(read('btlink.localhost:42080'), { kind: 'root', gatewaySuffix: 'localhost' })
  })

  it('is read without port, trailing dot and upper case', () => {
    for (const host of [
      `${IH}-ih.btlink:8080`,
      `${IH}-ih.btlink.`,
      `${IH}-IH.btlink.:8080`,
      `${IH}-ih.btlink:`,
    ]) {
      assert.equal(read(host).kind, 'infohash', host)
    }
  })

  it('counts labels right of the top-level one as the gateway', () => {
    const name = read(`${IH}-ih.btlink.gw.example.com:443`)
    assert.ok(name.kind === 'infohash')
    assert.equal(name.gatewaySuffix, 'gw.example.com')
  })

  it('takes the rightmost top-level label as the root', () => {
    assert.equal(saltOf(`btlink.${K}-pk.btlink`), 'btlink')
    assert.throws(() => read(`${IH}-ih.btlink.gw.btlink`), { code: 'BTL_ERR_BASE_BAD_NAME' })
  })

  it('follows the configured top-level label', () => {
    assert.equal(parseHost(`${IH}-ih.bt2`, { tld: 'bt2' }).kind, 'infohash')
    assert.equal(parseHost(`${IH}-ih.btlink`, { tld: 'bt2' }).kind, 'none')
  })

  for (const host of [
    '',
    'localhost',
    'localhost:9877',
    'example.com',
    'example.com.',
    '192.168.1.20:42080',
    '[::1]',
    '[2001:db8::1]:42080',
    'notbtlink',
    'btlink2.example',
    `${IH}-ih.btlink2`,
    '.',
    '...',
    'chromecast.link',
    'www.gov.bt',
    `${IH}.ih.bt`,
    'ex\u00e4mple.com',
    'x'.repeat(300),
  ]) {
    it(`without the top-level label is left to others: ${JSON.stringify(host.slice(0, 60))}`, () => {
      assert.deepEqual(read(host), { kind: 'none' })
    })
  }
})

describe('the salt of a host name', () => {
  for (const [host, salt] of [
    [`${K}-pk.btlink`, ''],
    [`a.b.${K}-pk.btlink`, 'a.b'],
    [`c.${K}-pk.btlink`, 'c'],
    [`c-${K}-pk.btlink`, 'c'],
    [`a.b-${K}-pk.btlink`, 'a.b'],
    [`a.b.c-${K}-pk.btlink`, 'a.b.c'],
    [`my-site-${K}-pk.btlink`, 'my-site'],
    [`my-site.${K}-pk.btlink`, 'my-site'],
    [`MY-Site.${K}-pk.BTLINK`, 'my-site'],
    [`xn--bcher-kva.${K}-pk.btlink`, 'xn--bcher-kva'],
    [`_dmarc.${K}-pk.btlink`, '_dmarc'],
    [`-a.${K}-pk.btlink`, '-a'],
    [`a--${K}-pk.btlink`, 'a-'],
    [`ih.${K}-pk.btlink`, 'ih'],
    [`x.${K}-pk.btlink`, 'x'],
    [`xabc.${K}-pk.btlink`, 'xabc'],
    [`xab.blog.${K}-pk.btlink`, 'xab.blog'],
    [`x00ff41.${K}-pk.btlink`, '\x00\xffA'],
    [`x00ff41-${K}-pk.btlink`, '\x00\xffA'],
    [`x786162.${K}-pk.btlink`, 'xab'],
    [`x4d6978.${K}-pk.btlink.gw.example:80`, 'Mix'],
  ] as const) {
    it(`of ${host.replaceAll(K, 'K')} is ${JSON.stringify(salt)}`, () => {
      assert.equal(saltOf(host), salt)
    })
  }

  it('comes back from the canonical host, whatever its bytes', () => {
    const salt = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .string({
          unit: fc.constantFrom('a', 'b', 'x', 'X', '0', 'f', '-', '_', '.', ' '),
          maxLength: 64,
        })
        .map((text) => utf8(text)),
      fc
        .string({ unit: fc.constantFrom('x', 'xn--', 'ab', '.', '-', '0'), maxLength: 12 })
        .map(utf8),
    )
    fc.assert(
      fc.property(salt, (bytes) => {
        const host = hostOf(keyName(bytes), tld)
        assert.match(host, /^[0-9a-z._-]+$/)
        for (const label of host.split('.')) assert.ok(label.length >= 1 && label.length <= 63)
        assert.equal(new URL(`http://${host}/`).hostname, host, 'a browser takes it as it is')
        const name = read(host)
        assert.ok(name.kind === 'key')
        assert.equal(toHex(name.salt), toHex(bytes))
      }),
      { numRuns: 3000 },
    )
  })

  for (const [salt, host] of [
    ['', `${K}-pk.btlink`],
    ['blog', `blog.${K}-pk.btlink`],
    ['a.b', `a.b.${K}-pk.btlink`],
    ['xab', `x786162.${K}-pk.btlink`],
    ['xab.xcd', `x7861622e786364.${K}-pk.btlink`],
    ['xab.c', `xab.c.${K}-pk.btlink`],
    ['Blog', `x426c6f67.${K}-pk.btlink`],
    ['a..b', `x612e2e62.${K}-pk.btlink`],
    ['-a', `x2d61.${K}-pk.btlink`],
    ['a b', `x612062.${K}-pk.btlink`],
    ['xn--a', `x786e2d2d61.${K}-pk.btlink`],
    ['xn--bcher-kva', `x786e2d2d62636865722d6b7661.${K}-pk.btlink`],
    ['b\u00fccher', `x62c3bc63686572.${K}-pk.btlink`],
  ] as const) {
    it(`${JSON.stringify(salt)} is written ${host.replaceAll(K, 'K')}`, () => {
      assert.equal(hostOf(keyName(salt), tld), host)
    })
  }

  it('of 64 binary bytes takes three labels', () => {
    const salt = new Uint8Array(64).fill(0xff)
    const host = hostOf(keyName(salt), tld)
    assert.deepEqual(
      host.split('.').map((label) => label.length),
      [63, 63, 5, 53, 6],
    )
  })

  it('in hex without need is redirected to its plain form', () => {
    const host = `blog.${K}-pk.btlink`
    assert.deepEqual(read(`x626c6f67.${K}-pk.btlink`), { kind: 'redirect', host })
    assert.deepEqual(read(`x626c6f67-${K}-pk.btlink`), { kind: 'redirect', host })
    assert.deepEqual(read(`x62.x6c6f67.${K}-pk.btlink:80`), {
      kind: 'redirect',
      host: `${host}:80`,
    })
  })

  it('in the label of the key has room for 9 characters beside most keys', () => {
    assert.equal(hyphenHostOf(keyName('123456789'), tld), `123456789-${K}-pk.btlink`)
    assert.equal(hyphenHostOf(keyName('1234567890'), tld), undefined)
    assert.equal(hyphenHostOf(keyName('a.b'), tld), undefined)
    assert.equal(hyphenHostOf(keyName(''), tld), `${K}-pk.btlink`)
    assert.equal(hyphenHostOf(keyName('A'), tld), `x41-${K}-pk.btlink`)
    assert.equal(saltOf(`x41-${K}-pk.btlink`), 'A')
  })

  it('over 64 bytes can be written as no host', () => {
    assert.throws(() => hostOf(keyName('a'.repeat(65)), tld), {
      code: 'BTL_ERR_BASE_UNWRITABLE_NAME',
      message: /65 bytes, 64 is the most/,
    })
  })

  it('of any length fits, under the longest of top-level labels', () => {
    const salt = new Uint8Array(64).fill(0xff)
    assert.ok(hostOf(keyName(salt), 't'.repeat(63)).length <= 253)
  })
})

describe('another spelling of a host name', () => {
  for (const [from, to] of [
    [`${IH}.ih.btlink`, `${IH}-ih.btlink`],
    [`${IH.toUpperCase()}.IH.btlink.localhost:42080`, `${IH}-ih.btlink.localhost:42080`],
    [`${IH}.44.btlink`, `${IH}-44.btlink`],
    [`${K}.pk.btlink`, `${K}-pk.btlink`],
    [`s.${K}.pk.btlink:1`, `s.${K}-pk.btlink:1`],
    [`a.b.${K}.pk.btlink`, `a.b.${K}-pk.btlink`],
    [`c-${K}.pk.btlink`, `c-${K}-pk.btlink`],
    [`www.${IH}-ih.btlink`, `${IH}-ih.btlink`],
    [`a.b.${IH}-44.btlink.gw.example`, `${IH}-44.btlink.gw.example`],
    [`www.${IH}.ih.btlink`, `${IH}-ih.btlink`],
    [`x61.${K}.pk.btlink`, `a.${K}-pk.btlink`],
    [`${IH}.ih.btlink:`, `${IH}-ih.btlink`],
  ] as const) {
    it(`${from.replaceAll(K, 'K')} is redirected to ${to.replaceAll(K, 'K')}`, () => {
      assert.deepEqual(read(from), { kind: 'redirect', host: to })
      assert.notEqual(read(to).kind, 'redirect')
    })
  }

  for (const [from, to] of [
    ['bt.btlink.example.link', 'btlink.example.link'],
    [`${IH}.ih.bt`, `${IH}-ih.btlink`],
    [`${IH}.ih.bt.btlink.example.link`, `${IH}-ih.btlink.example.link`],
    [`cast.${K}.pk.bt.btlink.example.link`, `cast.${K}-pk.btlink.example.link`],
    [`cast.${K}.pk.bt`, `cast.${K}-pk.btlink`],
    [`${K}.pk.bt.gw.example:8080`, `${K}-pk.btlink.gw.example:8080`],
  ] as const) {
    it(`under .bt is redirected where that is on: ${from.replaceAll(K, 'K')}`, () => {
      const found = parseHost(from, { tld, compatBt: true })
      assert.deepEqual(found, { kind: 'redirect', host: to })
    })
  }

  it('under .bt is somebody else’s unless it has the form of a name', () => {
    for (const host of ['www.gov.bt', 'bt', 'bt.', 'ih.bt', 'example.com', 'foo-ih.bt']) {
      assert.equal(parseHost(host, { tld, compatBt: true }).kind, 'none', host)
    }
  })

  it('under .bt is left alone where that is off', () => {
    assert.equal(read(`${IH}.ih.bt`).kind, 'none')
    assert.throws(() => read('bt.btlink.example.link'), { code: 'BTL_ERR_BASE_BAD_NAME' })
  })
})

describe('a malformed host name', () => {
  const long = 'a'.repeat(64)
  const salt65 = `${'a'.repeat(32)}.${'b'.repeat(32)}`
  for (const [host, fault] of [
    ['foo.btlink', /"foo" ends in none of -ih, -pk and -44/],
    ['ih-.btlink', /"ih-" ends in none of/],
    ['-.btlink', /"-" ends in none of/],
    [`${K}-px.btlink`, /ends in none of/],
    [`${IH}.btlink`, /ends in none of/],
    ['ih.btlink', /nothing stands left of "ih"/],
    ['pk.btlink', /nothing stands left of "pk"/],
    ['44.btlink', /nothing stands left of "44"/],
    ['-ih.btlink', /an infohash has 40 hex digits, this has ""/],
    ['-44.btlink', /a target has 40 hex digits, this has ""/],
    [`${IH.slice(1)}-ih.btlink`, /an infohash has 40 hex digits/],
    [`${IH}a-ih.btlink`, /an infohash has 40 hex digits/],
    [`${IH.slice(1)}g-ih.btlink`, /an infohash has 40 hex digits/],
    [`${'a'.repeat(32)}-ih.btlink`, /an infohash has 40 hex digits/],
    [`a-${IH}-ih.btlink`, /exactly an infohash may stand before -ih/],
    [`${IH}-${IH.slice(0, 8)}-44.btlink`, /exactly a target may stand before -44/],
    [`${IH.slice(1)}.ih.btlink`, /an infohash has 40 hex digits/],
    ['-pk.btlink', /no public key stands before -pk/],
    ['a--pk.btlink', /no public key stands before -pk/],
    [`-${K}-pk.btlink`, /the salt before the public key is empty/],
    [`a.-${K}-pk.btlink`, /the salt before the public key is empty/],
    ['abc-pk.btlink', /a public key has 32 bytes, this has 2/],
    [`0${K}-pk.btlink`, /a public key has 32 bytes, this has 33/],
    [`${K.slice(2)}-pk.btlink`, /a public key has 32 bytes, this has 31/],
    [`${K.replace('z', '_')}-pk.btlink`, /only digits and the letters a to z/],
    [`${salt65}.${K}-pk.btlink`, /the salt has 65 bytes, 64 is the most/],
    [
      `x${'aa'.repeat(31)}.x${'bb'.repeat(31)}.x${'cc'.repeat(3)}.${K}-pk.btlink`,
      /salt has 65 bytes/,
    ],
    [`a..${K}-pk.btlink`, /a label is empty/],
    [`.${K}-pk.btlink`, /a label is empty/],
    ['.btlink', /a label is empty/],
    ['btlink..', /a label is empty/],
    [`${IH}-ih.btlink..example.com`, /a label is empty/],
    [`${long}.${K}-pk.btlink`, /a label is longer than 63/],
    [`0123456789-${K}-pk.btlink`, /a label is longer than 63/],
    [`0123456789-${K}.pk.btlink`, /a label is longer than 63/],
    [`${'a.'.repeat(120)}${K}-pk.btlink`, /it is longer than 253/],
    [`${IH}-ih.btlink:http`, /the port is not a number/],
    [`${IH}-ih.btlink:65536`, /the port is not a number/],
    [`${IH}-ih.btlink:80:80`, /the port is not a number/],
    [`${IH}-ih.btlink:-1`, /the port is not a number/],
    [`a b.${K}-pk.btlink`, /only letters, digits, "-" and "_"/],
    [`a%2e.${K}-pk.btlink`, /only letters, digits/],
    [`user@${IH}-ih.btlink`, /only letters, digits/],
    [`a/../${IH}-ih.btlink`, /a label is empty|only letters, digits/],
    [`<script>.${K}-pk.btlink`, /only letters, digits/],
    [`a\r\nSet-Cookie.${K}-pk.btlink`, /only letters, digits/],
    [`\u0000.${K}-pk.btlink`, /only letters, digits/],
    [`b\u00fccher.${K}-pk.btlink`, /only letters, digits/],
    [`\u212a.${K}-pk.btlink`, /only letters, digits/],
    [`${IH}-ih.btlink.ex\u00e4mple`, /only letters, digits/],
  ] as const) {
    it(`gets a 400 that names the fault: ${JSON.stringify(host.slice(0, 70))}`, () => {
      assert.throws(
        () => read(host),
        (error: Error & { code?: string; statusCode?: number }) => {
          assert.equal(error.code, 'BTL_ERR_BASE_BAD_NAME')
          assert.equal(error.statusCode, 400)
          assert.match(error.message, fault)
          assert.match(error.message, /^bad host "/)
          assert.match(error.message, /valid names are .*-ih\.btlink.*-pk\.btlink.*-44\.btlink$/)
          assert.match(error.message, /^[\x20-\x7e]*$/, 'printable ASCII only')
          assert.ok(error.message.length < 600)
          return true
        },
      )
    })
  }

  it('of any kind is refused by name or left to others, never anything else', () => {
    const label = fc.oneof(
      fc.constantFrom('btlink', 'ih', 'pk', '44', 'bt', K, IH, `${IH}-ih`, `${K}-pk`, `s-${K}-pk`),
      fc.string({ maxLength: 8 }),
      fc.string({ unit: 'grapheme', maxLength: 4 }),
    )
    const host = fc.tuple(fc.array(label, { maxLength: 5 }), fc.constantFrom('', ':80', ':x', '.'))
    fc.assert(
      fc.property(host, fc.boolean(), ([labels, end], compatBt) => {
        const text = labels.join('.') + end
        try {
          const found = parseHost(text, { tld, compatBt })
          if (found.kind !== 'redirect') return
          assert.match(found.host, /^[0-9a-z._-]+(?::\d+)?$/, 'is safe in a Location')
          assert.notEqual(parseHost(found.host, { tld, compatBt }).kind, 'redirect')
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BTL_ERR_BASE_BAD_NAME', String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('hostOf', () => {
  it('writes what parseHost reads, for torrents and items', () => {
    const hash = infoHash(IH)
    assert.equal(hostOf({ kind: 'infohash', infoHash: hash }, tld), `${IH}-ih.btlink`)
    assert.equal(hostOf({ kind: 'immutable', target: target(IH) }, tld), `${IH}-44.btlink`)
  })

  it('keeps the leading zeroes of a key', () => {
    const key = publicKey(`00${'ff'.repeat(31)}`)
    const host = hostOf({ kind: 'key', publicKey: key, salt: fromHex('') }, tld)
    assert.equal(host, '0waum9lsz88q62wl8zk7gdtuc4ogb9fytnwza5jzt4ih10hz3-pk.btlink')
  })
})
