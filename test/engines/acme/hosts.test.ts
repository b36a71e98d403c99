import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createHosts } from '../../../src/engines/acme/hosts.ts'
import { acmeOptions, SITE } from './open-acme.ts'

const hostsOf = (...hosts: string[]) => createHosts({ ...acmeOptions, hosts })
const CODE = { code: 'BTL_ERR_ACME_BAD_SETTING' }

describe('hosts that get a certificate', () => {
  it('are those written down, in any case, with or without a dot at the end', () => {
    const hosts = hostsOf('gw.example.org', 'a.example.org  b.example.org')
    assert.deepEqual(hosts.find('GW.Example.org.')?.hosts, ['gw.example.org'])
    assert.equal(hosts.find('b.example.org')?.name, 'a.example.org')
    for (const host of ['example.org', 'www.gw.example.org', 'gw.example.org..', '', '.']) {
      assert.equal(hosts.find(host), undefined, host)
    }
    // U+212A, the Kelvin sign, is no k.
    assert.equal(hostsOf('k.example.org').find('\u212a.example.org'), undefined)
  })

  it('are sites under gateway domains as well where that is wanted', () => {
    const hosts = createHosts({ ...acmeOptions, content_names: true })
    assert.deepEqual(hosts.find(SITE), { name: SITE, hosts: [SITE], kind: 'content' })
    assert.equal(createHosts(acmeOptions).find(SITE), undefined)
    for (const host of [
      'gw.example',
      'btlink.gw.example',
      'nonsense.btlink.gw.example',
      SITE.replace('.gw.example', ''),
      SITE.replace('gw.example', 'gw.example.evil.example'),
      SITE.replace('gw.example', 'other.example'),
      `_a.${SITE}`,
      `${SITE}:443`,
      SITE.replace('-ih', '-ih\0'),
    ]) {
      assert.equal(hosts.find(host), undefined, host)
    }
  })

  for (const [what, entry] of [
    ['a wildcard', '*.example.org'],
    ['an address', '192.0.2.1'],
    ['an IPv6 address', '2001:db8::1'],
    ['a top-level domain', 'org'],
    ['capitals', 'GW.example.org'],
    ['a path', '../../etc/passwd.org'],
    ['a label with an underscore', '_a.example.org'],
    ['a label that begins with a hyphen', '-a.example.org'],
    ['an empty label', 'a..example.org'],
    ['a name of the household', 'box.lan'],
    ['a name within the top-level domain', 'a-ih.btlink'],
    ['a host too long for a file', `${'a.'.repeat(120)}org`],
    ['the same host twice', 'gw.example.org gw.example.org'],
    ['21 names', Array.from({ length: 21 }, (_, index) => `h${index}.example.org`).join(' ')],
    ['nothing', ' '],
  ] as const) {
    it(`are never ${what}`, () => {
      assert.throws(() => hostsOf(entry), CODE)
    })
  }

  it('may be names of the house where the authority is one of the house', () => {
    const options = { ...acmeOptions, authority_ca: '/etc/ca.pem', hosts: ['box.lan'] }
    assert.equal(createHosts(options).find('box.lan')?.kind, 'configured')
  })

  it('are never what a file name or a request could not hold, whoever asks', () => {
    const hosts = createHosts({ ...acmeOptions, content_names: true })
    const label = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('btlink', 'gw', 'example'))
    const host = fc.array(label, { maxLength: 8 }).map((labels) => labels.join('.'))
    fc.assert(
      fc.property(
        fc.oneof(
          host,
          fc.string(),
          host.map((left) => `${left}.${SITE}`),
        ),
        (asked) => {
          const found = hosts.find(asked)
          if (found) assert.match(found.name, /^[0-9a-z.-]{1,230}$/)
        },
      ),
      { numRuns: 3000 },
    )
  })
})
