import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { proofCertificate } from '../../../src/engines/acme/proof-certificate.ts'
import type { Acme } from '../../../src/engines/acme/index.ts'
import { curl } from '../../support/curl.ts'
import { startPebble, withoutPebble } from '../../support/pebble.ts'
import { missing, run } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { type House, startHouse } from '../../edges/proxy/fixture.ts'
import { openAcme, type OpenOptions, SITE } from './open-acme.ts'

const OPENSSL = '/usr/bin/openssl'
const HOSTS = ['gw.example', 'linked.example']

interface PublicHouse extends House {
  acme: Acme
  /** PEM file of Pebble's root. */
  root: string
}

/** A proxy that takes the authority's certificates where there are some, and the household's elsewhere. */
async function openHouse(t: Cleanup, more: OpenOptions = {}): Promise<PublicHouse> {
  const parts: { acme?: Acme; house?: House } = {}
  const house = await startHouse(t, {
    deps: {
      isServed: () => true,
      serve(req, res) {
        if (!parts.acme?.answer(req, res)) res.end(`the gateway, for ${req.headers.host ?? ''}`)
      },
      leaf: async (host, signal) => {
        const leaf = parts.acme?.leaf(host) ?? parts.house?.pki.leaf(host, signal)
        if (leaf === undefined) throw new Error('too early')
        return leaf
      },
      proof: (host) => parts.acme?.proof(host),
    },
  })
  parts.house = house
  const { directory, ca, root } = await startPebble(t, {
    httpPort: house.proxy.httpPort,
    tlsPort: house.proxy.httpsPort,
  })
  const opened = await openAcme(t, {
    asleep: true,
    directory,
    authority_ca: ca,
    hosts: HOSTS,
    content_names: true,
    ...more,
  })
  parts.acme = opened.acme
  const file = join(await tempFolder(t, 'root'), 'root.pem')
  await writeFile(file, await root())
  return { ...house, acme: opened.acme, root: file }
}

const sClient = (port: number, host: string, ca: string, more: readonly string[] = []) => {
  const where = ['-connect', `127.0.0.1:${port}`, '-servername', host]
  const judge = ['-verify_hostname', host, '-verify_return_error', '-brief', '-CAfile', ca]
  return run(OPENSSL, ['s_client', ...where, ...judge, ...more])
}

const skip = withoutPebble() || missing('/usr/bin/curl', OPENSSL)

describe('a gateway with certificates of an authority', { skip }, () => {
  it('shows them once they are there, and the household its own until then', async (t) => {
    const { acme, proxy, ca, root } = await openHouse(t)
    const port = proxy.httpsPort
    const refused = await sClient(port, 'gw.example', root)
    assert.match(refused.stderr, /unrecognized name/)
    const household = await sClient(port, 'linked.example', ca)
    assert.equal(household.code, 0, household.stderr)

    await acme.start(new AbortController().signal)
    await acme.renewDue()
    for (const host of HOSTS) {
      const { code, stderr } = await sClient(port, host, root)
      assert.equal(code, 0, stderr)
      const more = ['--cacert', root, '--resolve', `${host}:${port}:127.0.0.1`]
      const answer = await curl(`https://${host}:${port}/`, { more })
      assert.equal(answer.text(), `the gateway, for ${host}:${port}`)
    }
    // What only the box knows is still its own to vouch for.
    const site = SITE.replace('.gw.example', '')
    const inside = await sClient(port, site, ca)
    assert.equal(inside.code, 0, inside.stderr)
    const foreign = await sClient(port, 'bank.example', root)
    assert.match(foreign.stderr, /unrecognized name/)
  })

  it('gets one for a site on the first handshake that asks for it', async (t) => {
    const { acme, proxy, root } = await openHouse(t)
    await acme.start(new AbortController().signal)
    await acme.renewDue()
    const port = proxy.httpsPort
    assert.match((await sClient(port, SITE, root)).stderr, /unrecognized name/)
    await acme.renewDue()
    const { code, stderr } = await sClient(port, SITE, root)
    assert.equal(code, 0, stderr)
  })

  it('proves over TLS what is its own, and shows that certificate to nobody else', async (t) => {
    const { acme, proxy, root, ca } = await openHouse(t, { challenge: 'tls-alpn-01' })
    const port = proxy.httpsPort
    await acme.start(new AbortController().signal)
    // While it is proved, others get what they got before.
    const household = await sClient(port, 'linked.example', ca)
    assert.equal(household.code, 0, household.stderr)
    await acme.renewDue()
    for (const host of HOSTS) assert.equal((await sClient(port, host, root)).code, 0)
    // Pebble looks from three places.
    assert.equal(acme.stats()['challenges_answered'], 3 * HOSTS.length)

    const stranger = await sClient(port, 'gw.example', root, ['-alpn', 'acme-tls/1'])
    assert.notEqual(stranger.code, 0)
    assert.match(stranger.stderr, /no application protocol/)
    const other = await sClient(port, 'gw.example', root, ['-alpn', 'acme-tls/1,http/1.1'])
    assert.equal(other.code, 0, other.stderr)
  })

  for (const version of ['-tls1_2', '-tls1_3']) {
    it(`shows a proof by ${version.slice(1)} to who asks for one, and then hangs up`, async (t) => {
      const answer = 'token.thumbprint'
      const leaf = proofCertificate('gw.example', answer, Date.now())
      const proof = (host: string) => (host === 'gw.example' ? leaf : undefined)
      const { proxy, ca } = await startHouse(t, { deps: { proof } })
      const ask = (...more: string[]) => {
        const where = ['-connect', `127.0.0.1:${proxy.httpsPort}`, version, '-CAfile', ca]
        return run(OPENSSL, ['s_client', ...where, ...more])
      }
      const shown = await ask('-servername', 'gw.example', '-alpn', 'acme-tls/1')
      assert.match(shown.stdout, /ALPN protocol: acme-tls\/1/)
      const text = await run(OPENSSL, ['x509', '-noout', '-text'], { input: shown.stdout })
      assert.match(text.stdout, /DNS:gw\.example\n/)
      const hash = createHash('sha256').update(answer).digest('hex').toUpperCase()
      assert.match(text.stdout, /(?:1\.3\.6\.1\.5\.5\.7\.1\.31|ACME Identifier): critical/)
      const value = await run(OPENSSL, ['asn1parse'], { input: leaf.cert })
      assert.ok(value.stdout.includes(`[HEX DUMP]:0420${hash}`), value.stdout)
      // Who does not ask gets what the household has, or nothing.
      const linked = ['-servername', 'linked.example', '-alpn', 'http/1.1', '-verify_return_error']
      assert.equal((await ask(...linked)).code, 0)
      const plain = await ask('-servername', 'gw.example', '-alpn', 'http/1.1')
      assert.match(plain.stderr, /unrecognized name/)
      const other = await ask('-servername', 'linked.example', '-alpn', 'acme-tls/1')
      assert.match(other.stderr, /no application protocol/)
    })
  }
})
