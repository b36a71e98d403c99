import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codeOf } from '../../../src/base/errors.ts'
import {
  certificatesOf,
  DAY,
  firstOf,
  HOUR,
  KEY,
  NOW,
  openPki,
  pkiOptions,
  siteHost,
} from './open-pki.ts'
import { createPki } from '../../../src/engines/pki/index.ts'
import { silentLog } from '../../../src/base/ports/log.ts'

const beginsAt = (pem: string) => Date.parse(firstOf(pem).validFrom)
const endsAt = (pem: string) => Date.parse(firstOf(pem).validTo)

describe('a leaf', () => {
  it('is for the very host, signed by an intermediate that the root signed', async (t) => {
    const { pki } = await openPki(t)
    const leaf = await pki.leaf(siteHost(7))
    const [own, issuer, ...more] = certificatesOf(leaf.cert)
    const root = firstOf((await pki.root()).pem)
    assert.ok(own && issuer)
    assert.equal(own.subjectAltName, `DNS:${siteHost(7)}`)
    assert.ok(own.checkIssued(issuer) && own.verify(issuer.publicKey))
    assert.ok(issuer.checkIssued(root) && issuer.verify(root.publicKey))
    assert.deepEqual(more, [], 'the root is not sent')
  })

  it('names organisation and unit of itself and of whoever signed it', async (t) => {
    const { pki } = await openPki(t)
    const [own, issuer] = certificatesOf((await pki.leaf(siteHost(1))).cert)
    assert.equal(own?.subject, 'O=btlink\nOU=household site')
    assert.match(issuer?.subject ?? '', /^O=btlink\nOU=household intermediate\nCN=btlink /)
  })

  const wanted: [host: string, names: string][] = [
    ['btlink', 'btlink'],
    ['setup.btlink', 'setup.btlink'],
    [siteHost(1), siteHost(1)],
    [`${'0a'.repeat(20)}-44.btlink`, `${'0a'.repeat(20)}-44.btlink`],
    [`${KEY}-pk.btlink`, `${KEY}-pk.btlink, *.${KEY}-pk.btlink`],
    [`blog.${KEY}-pk.btlink`, `blog.${KEY}-pk.btlink, *.${KEY}-pk.btlink`],
    [`a.b.${KEY}-pk.btlink`, `a.b.${KEY}-pk.btlink, *.${KEY}-pk.btlink`],
    [`_x.${KEY}-pk.btlink`, `_x.${KEY}-pk.btlink, *.${KEY}-pk.btlink`],
    [`s-${KEY}-pk.btlink`, `s-${KEY}-pk.btlink, *.${KEY}-pk.btlink`],
    // Spellings that the gateway redirects need one to be redirected under.
    [`www.${siteHost(1)}`, `www.${siteHost(1)}`],
    [`${'0'.repeat(40)}.ih.btlink`, `${'0'.repeat(40)}.ih.btlink`],
  ]
  for (const [host, names] of wanted) {
    it(`for ${host.slice(0, 30)} says ${names.length > 60 ? `${names.slice(0, 50)}…` : names}`, async (t) => {
      const { pki } = await openPki(t)
      const leaf = await pki.leaf(host)
      const said = (firstOf(leaf.cert).subjectAltName ?? '').replaceAll('DNS:', '')
      assert.equal(said, names)
      assert.deepEqual(leaf.hosts, names.split(', '))
    })
  }

  it('is the same for any spelling of the host, and the same object while it is cached', async (t) => {
    const { pki } = await openPki(t)
    const leaf = await pki.leaf(siteHost(0xabc))
    assert.equal(await pki.leaf(siteHost(0xabc)), leaf)
    assert.equal(await pki.leaf(`${siteHost(0xabc).toUpperCase()}.`), leaf)
    assert.equal(pki.stats()['leaves_made'], 1)
    assert.equal(pki.stats()['leaves_reused'], 2)
  })

  it('is made once for all who ask at the same moment', async (t) => {
    const { pki } = await openPki(t)
    const leaves = await Promise.all(Array.from({ length: 100 }, () => pki.leaf(siteHost(5))))
    assert.equal(new Set(leaves).size, 1)
    assert.equal(pki.stats()['leaves_made'], 1)
  })

  it('lasts 90 days, began over a day ago, and ends before its issuer', async (t) => {
    const { pki } = await openPki(t)
    const { cert, notAfter } = await pki.leaf(siteHost(1))
    assert.ok(beginsAt(cert) <= NOW - 24 * HOUR)
    assert.equal(endsAt(cert) - beginsAt(cert) + 1000, 90 * DAY)
    assert.equal(endsAt(cert), notAfter)
  })

  it('is made anew when a third of its time is left, and before that not', async (t) => {
    const { pki, clock } = await openPki(t)
    const first = await pki.leaf(siteHost(1))
    clock.at = NOW + 58 * DAY
    assert.equal(await pki.leaf(siteHost(1)), first)
    clock.at = NOW + 60 * DAY
    const second = await pki.leaf(siteHost(1))
    assert.notEqual(second, first)
    assert.ok(second.notAfter > first.notAfter)
  })

  it('has a serial number of its own, random and positive, a thousand times', async (t) => {
    const { pki } = await openPki(t, { leaf_burst: 2000 })
    const serials = new Set<string>()
    for (let i = 0; i < 1000; i++) {
      const { serialNumber } = firstOf((await pki.leaf(siteHost(i))).cert)
      assert.match(serialNumber, /^[4-7][0-9A-F]{31}$/)
      serials.add(serialNumber)
    }
    assert.equal(serials.size, 1000)
  })

  it('shares its key with the others until the next start', async (t) => {
    const one = await openPki(t)
    const { key } = await one.pki.leaf(siteHost(1))
    assert.equal((await one.pki.leaf(siteHost(2))).key, key)
    const again = await openPki(t, { folder: one.folder })
    assert.notEqual((await again.pki.leaf(siteHost(1))).key, key)
  })

  it('is kept among at most max_leaves, of which the longest unused goes', async (t) => {
    const { pki } = await openPki(t, { max_leaves: 10 })
    const first = await pki.leaf(siteHost(0))
    for (let i = 1; i < 10; i++) await pki.leaf(siteHost(i))
    assert.equal(await pki.leaf(siteHost(0)), first)
    await pki.leaf(siteHost(10))
    assert.equal(pki.stats()['leaves_cached'], 10)
    assert.equal(await pki.leaf(siteHost(0)), first)
    const before = pki.stats()['leaves_made'] ?? 0
    await pki.leaf(siteHost(1))
    assert.equal(pki.stats()['leaves_made'], before + 1)
  })

  it('is made for 10,000 hosts without keeping more than it may', async (t) => {
    const { pki } = await openPki(t, { leaf_burst: 20_000, max_leaves: 200 })
    for (let i = 0; i < 10_000; i++) await pki.leaf(siteHost(i))
    assert.equal(pki.stats()['leaves_made'], 10_000)
    assert.equal(pki.stats()['leaves_cached'], 200)
  })

  it('is refused while too many new hosts are asked for, and known hosts are served', async (t) => {
    const { pki, clock } = await openPki(t, { leaf_burst: 5, leaves_per_second: 2 })
    for (let i = 0; i < 5; i++) await pki.leaf(siteHost(i))
    await assert.rejects(pki.leaf(siteHost(5)), { code: 'BTL_ERR_PKI_TOO_FAST', statusCode: 503 })
    await pki.leaf(siteHost(4))
    await pki.fallback()
    clock.at -= DAY
    await assert.rejects(pki.leaf(siteHost(5)), { code: 'BTL_ERR_PKI_TOO_FAST' })
    clock.at += 1000
    await pki.leaf(siteHost(5))
    await pki.leaf(siteHost(6))
    await assert.rejects(pki.leaf(siteHost(7)), { code: 'BTL_ERR_PKI_TOO_FAST' })
    assert.equal(pki.stats()['leaves_over_rate'], 3)
  })

  it('is not waited for by a caller who has left', async (t) => {
    const { pki } = await openPki(t)
    await assert.rejects(pki.leaf(siteHost(1), AbortSignal.abort()), { name: 'AbortError' })
    await assert.rejects(pki.fallback(AbortSignal.abort()), { name: 'AbortError' })
    assert.equal(pki.stats()['leaves_made'], 0)
  })

  it('is not to be had before the start and after the stop', async (t) => {
    const { pki } = await openPki(t)
    await pki.stop()
    await pki.stop()
    await assert.rejects(pki.leaf(siteHost(1)), { code: 'BTL_ERR_PKI_NOT_READY' })
    await assert.rejects(pki.fallback(), { code: 'BTL_ERR_PKI_NOT_READY' })
  })
})

describe('a host that is not served', () => {
  const foreign = [
    'example.com',
    'evilbtlink',
    'btlink.example.com',
    `${siteHost(1)}.example.com`,
    '*.btlink',
    '*',
    'shop.btlink',
    'a-ih.btlink',
    `${'g'.repeat(40)}-ih.btlink`,
    `${'0'.repeat(39)}-ih.btlink`,
    `${siteHost(1)}:443`,
    `${siteHost(1)}..`,
    `.${siteHost(1)}`,
    `a..${KEY}-pk.btlink`,
    `${siteHost(1)}\0.example.com`,
    `${siteHost(1)}\n`,
    ` ${siteHost(1)}`,
    `${'a'.repeat(64)}.${KEY}-pk.btlink`,
    `${'a.'.repeat(120)}${KEY}-pk.btlink`,
    `${'0'.repeat(40)}.ih.bt`,
    'BTLIN\u212a',
    '127.0.0.1',
    '::1',
    '[::1]',
    '2130706433',
    'localhost',
    '',
    '.',
    'a'.repeat(100_000),
  ]
  for (const host of foreign) {
    const title = JSON.stringify(host.length > 60 ? `${host.slice(0, 50)}…` : host)
    it(`gets no certificate: ${title}`, async (t) => {
      const { pki } = await openPki(t)
      await assert.rejects(pki.leaf(host), { code: 'BTL_ERR_PKI_FOREIGN_NAME', statusCode: 421 })
      await assert.rejects(pki.issue([siteHost(1), host]), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
      assert.equal(pki.stats()['leaves_made'], 0)
      assert.equal(pki.stats()['hosts_refused'], 2)
    })
  }

  it('is never one whose certificate would not be under the top-level domain', async (t) => {
    const { pki } = await openPki(t, { leaf_burst: 100_000 })
    const label = fc.constantFrom('btlink', 'a', '*', '', `${KEY}-pk`, `${'0'.repeat(40)}-ih`, 'IH')
    const hosts = fc.oneof(
      fc.string(),
      fc.array(label, { maxLength: 5 }).map((l) => l.join('.')),
    )
    await fc.assert(
      fc.asyncProperty(hosts, async (host) => {
        try {
          for (const name of (await pki.leaf(host)).hosts) {
            assert.match(name, /^(?:\*\.[0-9a-z]+-pk\.)?[0-9a-z_.-]*btlink$/)
            assert.notEqual(name, '*.btlink')
          }
        } catch (error) {
          assert.equal(codeOf(error), 'BTL_ERR_PKI_FOREIGN_NAME')
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the certificate for clients that name no host', () => {
  it('has the names of the box and no address', async (t) => {
    const { pki } = await openPki(t, { box_names: ['box.lan'] })
    const leaf = await pki.fallback()
    assert.equal(
      firstOf(leaf.cert).subjectAltName,
      'DNS:btlink, DNS:box.lan, DNS:setup.btlink, DNS:my.btlink',
    )
    assert.equal(await pki.fallback(), leaf)
  })

  it('leaves out what the root forbids', async (t) => {
    const { pki } = await openPki(t, { reserved_hosts: ['setup.btlink', 'setup.example'] })
    assert.deepEqual((await pki.fallback()).hosts, ['btlink', 'setup.btlink'])
    await assert.rejects(pki.leaf('setup.example'), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
  })

  it('is made anew in time', async (t) => {
    const { pki, clock } = await openPki(t)
    const leaf = await pki.fallback()
    clock.at += 70 * DAY
    assert.notEqual(await pki.fallback(), leaf)
  })
})

describe('names of the box outside the top-level domain', () => {
  it('get a leaf where the root was made with them', async (t) => {
    const { pki } = await openPki(t, { box_names: ['box.lan'] })
    assert.deepEqual((await pki.leaf('box.lan')).hosts, ['box.lan'])
    assert.deepEqual((await pki.root()).permitted, ['btlink', 'box.lan'])
    await assert.rejects(pki.leaf('other.lan'), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    await assert.rejects(pki.leaf('www.box.lan'), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
  })

  it('that came later wait for the next root, and health says so', async (t) => {
    const { folder } = await openPki(t)
    const { pki } = await openPki(t, { folder, box_names: ['box.lan'] })
    await assert.rejects(pki.leaf('box.lan'), /was made without it, "btlinkd ca rotate"/)
    assert.match((await pki.health()).detail ?? '', /no root vouches for box\.lan yet/)
    await pki.fallback()
    await pki.rotate('names')
    assert.deepEqual((await pki.leaf('box.lan')).hosts, ['box.lan'])
    assert.equal((await pki.health()).status, 'ok')
  })

  const impossible = [
    'lan',
    'x.btlink',
    'btlink',
    'Box.lan',
    '1.2.3.4',
    '*.lan',
    'a..b',
    '-a.lan',
    '',
  ]
  for (const name of impossible) {
    it(`cannot be ${JSON.stringify(name)}`, () => {
      const make = (key: 'box_names' | 'link_domains') => () =>
        createPki(
          { log: silentLog, clock: { now: () => NOW }, folder: '/nonexistent' },
          { ...pkiOptions, [key]: [name] },
        )
      assert.throws(make('box_names'), { code: 'BTL_ERR_PKI_BAD_SETTING' })
      assert.throws(make('link_domains'), { code: 'BTL_ERR_PKI_BAD_SETTING' })
    })
  }
})

describe('domains with link records', () => {
  it('have no root and get no certificate unless they are listed', async (t) => {
    const { pki } = await openPki(t)
    await assert.rejects(pki.root('links'), { code: 'BTL_ERR_PKI_NO_AUTHORITY', statusCode: 404 })
    await assert.rejects(pki.rotate('links'), { code: 'BTL_ERR_PKI_NO_AUTHORITY' })
    await assert.rejects(pki.exportAuthority('links', 'a long passphrase'), {
      code: 'BTL_ERR_PKI_NO_AUTHORITY',
    })
    await assert.rejects(pki.leaf('chromecast.link'), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
  })

  it('get leaves of a root of their own, which is good for nothing else', async (t) => {
    const { pki } = await openPki(t, { link_domains: ['chromecast.link'] })
    const [names, links] = [await pki.root(), await pki.root('links')]
    assert.notEqual(links.sha256, names.sha256)
    assert.match(links.name, /^btlink links root /)
    assert.deepEqual(links.permitted, ['chromecast.link'])
    const [own, issuer] = certificatesOf((await pki.leaf('www.chromecast.link')).cert)
    assert.equal(own?.subjectAltName, 'DNS:www.chromecast.link')
    assert.ok(issuer?.verify(firstOf(links.pem).publicKey))
    await assert.rejects(pki.leaf('xchromecast.link'), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    await assert.rejects(pki.leaf('link'), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
  })
})

describe('a certificate for another server', () => {
  it('has all hosts asked for and a key of its own', async (t) => {
    const { pki } = await openPki(t)
    const cached = await pki.leaf(siteHost(1))
    const leaf = await pki.issue([siteHost(1), `blog.${KEY}-pk.btlink`, 'btlink'])
    const names = [siteHost(1), `blog.${KEY}-pk.btlink`, 'btlink', `*.${KEY}-pk.btlink`]
    assert.deepEqual(leaf.hosts, names)
    assert.notEqual(leaf.key, cached.key)
    assert.notEqual((await pki.issue(['btlink'])).key, leaf.key)
    assert.equal(await pki.leaf(siteHost(1)), cached)
  })

  it('is not made for no host, for too many, or for hosts of two roots', async (t) => {
    const { pki } = await openPki(t, { link_domains: ['chromecast.link'] })
    for (const hosts of [[], Array.from({ length: 101 }, (_, i) => siteHost(i))]) {
      await assert.rejects(pki.issue(hosts), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    }
    await assert.rejects(pki.issue(['btlink', 'chromecast.link']), /another root vouches/)
  })

  it('counts against the rate', async (t) => {
    const { pki } = await openPki(t, { leaf_burst: 1 })
    await pki.issue(['btlink'])
    await assert.rejects(pki.issue(['btlink']), { code: 'BTL_ERR_PKI_TOO_FAST' })
  })
})
