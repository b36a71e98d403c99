import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { messageOf } from '../../../src/base/errors.ts'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { missing, output, run } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { certificatesOf, openPki, siteHost } from './open-pki.ts'
import { compare, type TrustCase, trustCases, type Verdict } from './trust-cases.ts'

const OPENSSL = '/usr/bin/openssl'
const GNUTLS = '/usr/bin/gnutls-cli'
const CERTTOOL = '/usr/bin/certtool'
const CURL = '/usr/bin/curl'
const PYTHON = '/usr/bin/python3'
const CERTUTIL = '/usr/bin/certutil'

const programme = async (command: string, args: string[], input = ''): Promise<Verdict> => {
  const { code, stdout, stderr } = await run(command, args, { input })
  return { taken: code === 0, reason: stdout + stderr }
}

async function visit(page: Page, { host, port, title }: TrustCase): Promise<Verdict> {
  try {
    await page.goto(`https://${host}:${port}/`, { timeout: 20_000 })
    return { taken: (await page.title()) === title, reason: await page.title() }
  } catch (error) {
    const reason = String(error)
    assert.match(reason, /ERR_CERT_/, 'refused for another reason than the certificate')
    return { taken: false, reason }
  }
}

describe('a client that trusts the root takes the sites of this box and nothing else', () => {
  it('with OpenSSL', { skip: missing(OPENSSL) }, async (t) => {
    const { cases, rootFile } = await trustCases(t)
    await compare(cases, ({ host, port }) => {
      const check = isIP(host)
        ? ['-verify_ip', host]
        : ['-servername', host, '-verify_hostname', host]
      const to = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', rootFile, '-no-CApath']
      return programme(OPENSSL, [...to, '-verify_return_error', ...check])
    })
  })

  it('with GnuTLS', { skip: missing(GNUTLS, CERTTOOL) }, async (t) => {
    const { cases, rootFile } = await trustCases(t)
    await compare(cases, ({ host, port }) => {
      const names = isIP(host)
        ? ['--verify-hostname', host]
        : ['--sni-hostname', host, '--verify-hostname', host]
      return programme(GNUTLS, [
        '--x509cafile',
        rootFile,
        '-p',
        String(port),
        ...names,
        '127.0.0.1',
      ])
    })
  })

  it('with curl', { skip: missing(CURL) }, async (t) => {
    const { cases, rootFile } = await trustCases(t)
    await compare(cases, ({ host, port }) => {
      const to = ['--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`]
      return programme(CURL, ['-q', '-sS', '--noproxy', '*', '--cacert', rootFile, ...to])
    })
  })

  it('with Node', async (t) => {
    const { cases, rootFile } = await trustCases(t)
    const ca = await readFile(rootFile)
    await compare(
      cases,
      ({ host, port }) =>
        new Promise((answer) => {
          const name = isIP(host) ? {} : { servername: host }
          const socket = connect({ host: '127.0.0.1', port, ca, ...name }, () => {
            socket.destroy()
            answer({ taken: true, reason: '' })
          })
          socket.once('error', (error) => answer({ taken: false, reason: messageOf(error) }))
        }),
    )
  })

  it('with Python', { skip: missing(PYTHON) }, async (t) => {
    const { cases, rootFile } = await trustCases(t)
    const script = `
import json, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
out = []
for case in json.load(sys.stdin):
    try:
        with socket.create_connection(('127.0.0.1', case['port']), 10) as raw:
            with context.wrap_socket(raw, server_hostname=case['host']):
                out.append([True, ''])
    except (ssl.SSLError, OSError) as error:
        out.append([False, str(error)])
print(json.dumps(out))`
    const text = await output(PYTHON, ['-c', script, rootFile], { input: JSON.stringify(cases) })
    const verdicts = JSON.parse(text) as [boolean, string][]
    await compare(cases, async (one) => {
      const [taken = false, reason = 'not asked'] = verdicts[cases.indexOf(one)] ?? []
      return { taken, reason }
    })
  })

  it('with Chromium, which finds the root in its NSS database', {
    skip: missing(CHROMIUM, CERTUTIL),
  }, async (t) => {
    const { cases, rootFile } = await trustCases(t)
    const home = await tempFolder(t, 'home')
    const database = join(home, '.pki', 'nssdb')
    await mkdir(database, { recursive: true })
    await output(CERTUTIL, ['-N', '-d', `sql:${database}`, '--empty-password'])
    await output(CERTUTIL, [
      '-A',
      '-d',
      `sql:${database}`,
      '-n',
      'btlink',
      '-t',
      'C,,',
      '-i',
      rootFile,
    ])
    const opened = await browser(t, {
      env: { HOME: home },
      switches: ['--host-resolver-rules=MAP * 127.0.0.1', '--no-proxy-server'],
    })
    // It looks for a captive portal for three seconds before it says that it refuses.
    const verdicts = new Map<TrustCase, Verdict>()
    const waiting = [...cases]
    const look = async (): Promise<void> => {
      const page = await opened.newPage()
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        verdicts.set(one, await visit(page, one))
      }
    }
    await Promise.all(Array.from({ length: 8 }, look))
    await compare(cases, async (one) => verdicts.get(one) ?? { taken: false, reason: 'not asked' })
  })
})

describe('certtool', { skip: missing(CERTTOOL) }, () => {
  it('verifies the chain of a site', async (t) => {
    const { pki, folder } = await openPki(t, { now: Date.now() })
    const { cert } = await pki.leaf(siteHost(1))
    assert.equal(certificatesOf(cert).length, 2)
    const root = join(folder, 'names', 'btlink', '1', 'root.pem')
    const args = ['--verify', '--load-ca-certificate', root, '--verify-profile', 'high']
    const text = await output(CERTTOOL, [...args, '--verify-hostname', siteHost(1)], {
      input: cert,
    })
    assert.match(text, /Chain verification output: Verified\. The certificate is trusted\./)
  })
})

describe('a client that trusts the second root as well', () => {
  it('takes the link domain and no site from it', { skip: missing(CURL) }, async (t) => {
    const { cases, linkRootFile } = await trustCases(t)
    const taken: string[] = []
    for (const { host, port, title } of cases) {
      const to = ['--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`]
      const args = ['-q', '-sS', '--noproxy', '*', '--cacert', linkRootFile, ...to]
      if ((await programme(CURL, args)).taken) taken.push(title)
    }
    assert.deepEqual(taken, ['a link domain by its own authority, which is not trusted'])
  })
})
