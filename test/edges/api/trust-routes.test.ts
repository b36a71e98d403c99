import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createTrustApi, type TrustView } from '../../../src/edges/api/index.ts'
import { openPki, PASSPHRASE, siteHost } from '../../engines/pki/open-pki.ts'

const code = (answer: { body: unknown }) => (answer.body as { code?: string }).code

describe('/api/trust', () => {
  it('shows roots, and nothing that is secret', async (t) => {
    const { pki } = await openPki(t)
    const api = createTrustApi(pki)
    await api.ask('POST', '/api/trust/link-domains', { domains: ['chromecast.link'] })
    await api.ask('POST', '/api/trust/rotate', {})
    const { status, body } = await api.ask('GET', '/api/trust')
    assert.equal(status, 200)
    const { names, links, former, linkDomains } = body as TrustView
    assert.equal(names.sha256, (await pki.root()).sha256)
    assert.deepEqual(names.permitted, ['btlink'])
    assert.equal(names.notBefore, '2024-01-01T00:00:00.000Z')
    assert.deepEqual(links?.permitted, ['chromecast.link'])
    assert.deepEqual([former.names.length, former.links.length], [1, 0])
    assert.deepEqual(linkDomains, { configured: [], stated: ['chromecast.link'] })
    assert.doesNotMatch(JSON.stringify(body), /PRIVATE/)
  })

  it('moves an authority, and forgets former ones when told', async (t) => {
    const [one, two] = [await openPki(t), await openPki(t)]
    const passphrase = PASSPHRASE
    const { body } = await createTrustApi(one.pki).ask('POST', '/api/trust/export', { passphrase })
    const { bundle } = body as { bundle: string }
    const api = createTrustApi(two.pki)
    const wrong = await api.ask('POST', '/api/trust/import', { bundle, passphrase: 'x'.repeat(20) })
    assert.deepEqual([wrong.status, code(wrong)], [400, 'BTL_ERR_PKI_BAD_PASSPHRASE'])
    assert.equal((await api.ask('POST', '/api/trust/import', { bundle, passphrase })).status, 200)
    assert.equal((await two.pki.root()).sha256, (await one.pki.root()).sha256)
    const rotated = await api.ask('POST', '/api/trust/rotate', { forget: true })
    assert.equal((rotated.body as { forgotten: number }).forgotten, 2)
    assert.deepEqual(await two.pki.former('names'), [])
  })

  it('refuses what is no request, whatever it is', async (t) => {
    const { pki } = await openPki(t)
    const api = createTrustApi(pki)
    const { sha256 } = await pki.root()
    const calls: [path: string, body: object][] = [
      ['/api/trust/leaf', {}],
      ['/api/trust/leaf', { hosts: [] }],
      ['/api/trust/leaf', { hosts: [siteHost(1), 'example.com'] }],
      ['/api/trust/leaf', { hosts: Array.from({ length: 101 }, (_, i) => siteHost(i)) }],
      ['/api/trust/leaf', { hosts: [siteHost(1)], key: 'mine' }],
      ['/api/trust/rotate', { realm: 'all' }],
      ['/api/trust/export', { passphrase: 'short' }],
      ['/api/trust/export', { passphrase: PASSPHRASE, realm: 'links' }],
      ['/api/trust/import', { passphrase: PASSPHRASE }],
      ['/api/trust/import', { bundle: 'x'.repeat(50_000), passphrase: PASSPHRASE }],
      ['/api/trust/link-domains', { domains: [] }],
      ['/api/trust/link-domains', { domains: ['com'] }],
    ]
    for (const [path, body] of calls) {
      const { status } = await api.ask('POST', path, body)
      assert.ok(
        status >= 400 && status < 500,
        `${path} ${JSON.stringify(body).slice(0, 60)} ${status}`,
      )
    }
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.webUrl(), fc.ipV6())
    const paths = fc.constantFrom('leaf', 'link-domains')
    await fc.assert(
      fc.asyncProperty(paths, fc.array(text, { maxLength: 3 }), async (path, list) => {
        const body = path === 'leaf' ? { hosts: list } : { domains: [...list, 'btlink'] }
        const { status } = await api.ask('POST', `/api/trust/${path}`, body)
        assert.ok(status >= 400 && status < 500, `${path} ${JSON.stringify(list)} ${status}`)
      }),
      { numRuns: 300 },
    )
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 2000 }), async (bundle) => {
        const sent = { bundle, passphrase: PASSPHRASE }
        assert.equal((await api.ask('POST', '/api/trust/import', sent)).status, 400)
      }),
      { numRuns: 200 },
    )
    assert.equal((await pki.root()).sha256, sha256)
    assert.deepEqual(await pki.linkDomains(), { configured: [], stated: [] })
  })
})
