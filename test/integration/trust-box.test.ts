import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { certificatesOf, firstOf } from '../engines/pki/open-pki.ts'
import { boxOfSuite, OPENSSL, rootFileOf, sClient, site } from '../support/box-trust.ts'
import { missing, output, run } from '../support/processes.ts'

const GNUTLS = '/usr/bin/gnutls-cli'
const CURL = '/usr/bin/curl'
const PYTHON = '/usr/bin/python3'
const DAY = 86_400_000

const namesIn = (pem: string): string =>
  firstOf(pem).subjectAltName?.replaceAll('DNS:', '') ?? 'none'

describe('the trust that a whole box asks for', {
  skip: missing(OPENSSL, GNUTLS, CURL, PYTHON),
}, () => {
  const suite = boxOfSuite()

  it('is limited to the names, in every certificate of the chain (E02, E04 to E08, E17)', async (t) => {
    const box = suite()
    const rootFile = await rootFileOf(t, box)
    const { stdout } = await sClient(box, '-servername', site(1), '-showcerts', '-CAfile', rootFile)
    const chain = certificatesOf(stdout)
    assert.equal(chain.length, 2)
    const [leaf, issuer] = chain
    assert.ok(leaf && issuer)
    for (const authority of [issuer, firstOf(await readFile(rootFile, 'utf8'))]) {
      const text = await output(OPENSSL, ['x509', '-noout', '-text'], {
        input: authority.toString(),
      })
      assert.match(text, /Name Constraints: critical\s+Permitted:\s+DNS:btlink\s+Excluded:/)
      assert.match(text, /IP:0\.0\.0\.0\/0\.0\.0\.0\s+IP:0:0:0:0:0:0:0:0\/0:0:0:0:0:0:0:0/)
      assert.match(text, /Subject: O = btlink, OU = /)
    }
    assert.equal(namesIn(leaf.toString()), site(1))
    assert.match(leaf.issuer, /^O=btlink\nOU=household intermediate\n/)
    assert.match(leaf.subject, /^O=btlink\nOU=/)
    const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
    assert.ok(from <= Date.now() - DAY && to - from <= 398 * DAY && to > Date.now() + 30 * DAY)

    const verified = await sClient(
      box,
      '-servername',
      site(1),
      '-CAfile',
      rootFile,
      '-no-CApath',
      '-verify_return_error',
      '-verify_hostname',
      site(1),
    )
    assert.match(verified.stdout, /Verify return code: 0 \(ok\)/)
    await output(GNUTLS, [
      '--x509cafile',
      rootFile,
      '-p',
      String(box.port('https')),
      '--sni-hostname',
      site(1),
      '--verify-hostname',
      site(1),
      '127.0.0.1',
    ])
    const script = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
with socket.create_connection(('127.0.0.1', int(sys.argv[2])), 10) as raw:
    with context.wrap_socket(raw, server_hostname=sys.argv[3]) as tls:
        print(tls.version())`
    const port = String(box.port('https'))
    assert.match(await output(PYTHON, ['-c', script, rootFile, port, site(1)]), /^TLSv1\.3/)
    // Without the root nobody takes it.
    const stranger = await run(CURL, [
      '-q',
      '-sS',
      '--noproxy',
      '*',
      '--resolve',
      `setup.btlink:${port}:127.0.0.1`,
      `https://setup.btlink:${port}/`,
    ])
    assert.equal(stranger.code, 60, stranger.stderr)
  })

  it('shows its own names where no name is asked, and says no to foreign ones (E10, E11)', async (t) => {
    const box = suite()
    const rootFile = await rootFileOf(t, box)
    const nameless = await sClient(box, '-noservername', '-CAfile', rootFile)
    assert.match(nameless.stdout, /Verify return code: 0 \(ok\)/)
    const own = namesIn(nameless.stdout).split(', ')
    assert.ok(own.includes('btlink') && own.includes('setup.btlink'), own.join())
    assert.ok(own.every((name) => name.endsWith('btlink')))
    const foreign = ['example.com', '127.0.0.1', 'btlink.example', 'evilbtlink', 'no-name.btlink']
    for (const name of foreign) {
      const { code, stderr, stdout } = await sClient(box, '-servername', name)
      assert.notEqual(code, 0, name)
      assert.match(stderr, /alert unrecognized name|SSL alert number 112/, name)
      assert.doesNotMatch(stdout, /BEGIN CERTIFICATE/, name)
    }
    const metrics = (await box.api('/metrics')).text()
    assert.match(metrics, /pki_hosts_refused \d/)
  })

  it('opens pages for curl, straight and through both proxies (E13)', async (t) => {
    const box = suite()
    const rootFile = await rootFileOf(t, box)
    const https = String(box.port('https'))
    const page = 'https://setup.btlink'
    const ways = {
      straight: ['--resolve', `setup.btlink:${https}:127.0.0.1`, `${page}:${https}/`],
      'by the http proxy': ['-x', `http://127.0.0.1:${box.port('http')}`, `${page}/`],
      'by the https proxy': [
        '--proxy-cacert',
        rootFile,
        '-x',
        `https://proxy.btlink:${https}`,
        '--resolve',
        `proxy.btlink:${https}:127.0.0.1`,
        `${page}/`,
      ],
    }
    for (const [way, args] of Object.entries(ways)) {
      const said = await run(CURL, [
        '-q',
        '-sS',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{ssl_verify_result} %{proxy_ssl_verify_result}',
        '--cacert',
        rootFile,
        ...args,
      ])
      assert.equal(said.stdout, '200 0 0', `${way}: ${said.stderr}`)
    }
    const untrusting = await run(CURL, [
      '-q',
      '-sS',
      '--cacert',
      rootFile,
      ...ways['by the https proxy'].slice(2),
    ])
    assert.equal(untrusting.code, 60, 'a proxy that is not trusted is not spoken to')
  })
})
