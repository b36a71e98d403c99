import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { CertIssuer } from '../../../src/base/ports/cert-issuer.ts'
import { missing, run } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { KEY, openPki, siteHost } from './open-pki.ts'

const OPENSSL = '/usr/bin/openssl'

// RFC 6066 §3: unrecognized_name, fatal, as a record. Node itself hangs up without a word.
const UNRECOGNIZED_NAME = Buffer.from([0x15, 3, 3, 0, 2, 2, 112])

/** A TLS server as an edge would make it: a leaf for each name, the fallback for none. */
async function serve(t: Cleanup, pki: CertIssuer): Promise<number> {
  const secureContext = createSecureContext(await pki.fallback())
  const server = createServer((raw) => {
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext,
      SNICallback: (host, use) => {
        const answer = async () => use(null, createSecureContext(await pki.leaf(host)))
        answer().catch((error: unknown) => {
          raw.write(UNRECOGNIZED_NAME, () => use(error as Error))
        })
      },
    })
    socket.on('error', () => raw.destroy())
    socket.once('secure', () => socket.end())
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => void server.close())
  return (server.address() as AddressInfo).port
}

describe('a TLS server with these certificates', { skip: missing(OPENSSL) }, () => {
  const ask = async (port: number, ...name: string[]) => {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, ...name]
    const { code, stdout, stderr } = await run(OPENSSL, args)
    const [pem = ''] =
      /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(stdout) ?? []
    return { code, pem, stderr }
  }
  const namesIn = async (pem: string) => {
    const args = ['x509', '-noout', '-ext', 'subjectAltName']
    const { stdout } = await run(OPENSSL, args, { input: pem })
    return [...stdout.matchAll(/DNS:([^,\s]+)/g)].map((match) => match[1])
  }

  it('shows each host its own leaf', async (t) => {
    const { pki } = await openPki(t, { now: Date.now() })
    const port = await serve(t, pki)
    const site = await ask(port, '-servername', siteHost(3))
    assert.deepEqual(await namesIn(site.pem), [siteHost(3)])
    const salted = await ask(port, '-servername', `BLOG.${KEY}-pk.btlink`)
    assert.deepEqual(await namesIn(salted.pem), [`blog.${KEY}-pk.btlink`, `*.${KEY}-pk.btlink`])
  })

  it('shows the names of the box to a client that names no host', async (t) => {
    const { pki } = await openPki(t, { now: Date.now() })
    const { pem } = await ask(await serve(t, pki), '-noservername')
    assert.deepEqual(await namesIn(pem), ['btlink', 'setup.btlink', 'my.btlink'])
  })

  it('answers a foreign name with the alert for it', async (t) => {
    const { pki } = await openPki(t, { now: Date.now() })
    const port = await serve(t, pki)
    const { code, pem, stderr } = await ask(port, '-servername', 'example.com')
    assert.notEqual(code, 0)
    assert.match(stderr, /SSL alert number 112/)
    assert.equal(pem, '')
    assert.equal(pki.stats()['hosts_refused'], 1)
  })
})
