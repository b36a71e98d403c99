/** The root certificate as a file, fetched by the programs that want it from every host there is. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { OPENSSL } from '../../support/certificates.ts'
import type { CurlOptions } from '../../support/curl.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { KEY_LABEL } from '../gateway/fixture.ts'
import { type Door, fetchPage, type Page, startDoor } from './door.ts'

const PYTHON = '/usr/bin/python3'
const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const door = await startDoor(all, { linkDomains: ['linked.example'] })
const { infoHash } = await door.add({
  'index.html': 'a site',
  '.btlink/rootca.pem': 'a false certificate',
})
const site = `${infoHash}-ih.btlink`
const root = await door.pki.root()

/** Hosts of every kind that reach the box. */
const HOSTS = [
  'btlink',
  site,
  `salt.${KEY_LABEL}.btlink`,
  'setup.btlink',
  'nonsense.btlink',
  `${site}.localhost`,
  `${site}.gw.example`,
  'gw.example',
  'linked.example',
  'localhost',
  '127.0.0.1',
  '[::1]',
]

const download = (path: string, options: CurlOptions = {}): Promise<Page> =>
  fetchPage(`${door.url}/.btlink/${path}`, options)

/** The certificate as another program reads it. */
async function fingerprint(file: string, form: 'PEM' | 'DER'): Promise<string> {
  const args = ['x509', '-inform', form, '-in', file, '-noout', '-fingerprint', '-sha256']
  return (await output(OPENSSL, args)).split('=')[1]?.trim().replaceAll(':', '').toLowerCase() ?? ''
}

describe('the root certificate', () => {
  it('is there on every host, before anything a site has', async () => {
    for (const host of HOSTS) {
      const { status, headers, text } = await download('rootca.pem', { host })
      assert.equal(status, 200, host)
      assert.equal(text, root.pem, host)
      assert.equal(headers['content-type'], 'application/x-x509-ca-cert')
      assert.equal(headers['cache-control'], 'no-cache')
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['access-control-allow-origin'], undefined)
    }
  })

  it('is there through the proxy and over https', async () => {
    const through = ['-x', door.url]
    const trusting = ['--cacert', door.ca, '--connect-to', `::127.0.0.1:${door.proxy.httpsPort}`]
    for (const [url, more] of [
      [`http://${site}/.btlink/rootca.pem`, through],
      [`https://${site}/.btlink/rootca.pem`, [...through, '--cacert', door.ca]],
      ['http://btlink/.btlink/rootca.pem', through],
      [`https://${site}/.btlink/rootca.pem`, trusting],
      ['https://check.btlink/.btlink/rootca.pem', trusting],
      [
        'http://btlink/.btlink/rootca.pem',
        [
          '-x',
          `https://proxy.btlink:${door.proxy.httpsPort}`,
          '--proxy-cacert',
          door.ca,
          '--resolve',
          `proxy.btlink:${door.proxy.httpsPort}:127.0.0.1`,
        ],
      ],
      // An address is in no certificate of ours.
      [`https://127.0.0.1:${door.proxy.httpsPort}/.btlink/rootca.pem`, ['-k']],
    ] as const) {
      // With a CONNECT there are two heads.
      const answer = await fetchPage(url, { more: ['--suppress-connect-headers', ...more] })
      assert.equal(answer.status, 200, url)
      assert.equal(answer.text, root.pem, url)
    }
  })

  it('is read by OpenSSL as PEM and as DER, with the fingerprint that the page shows', async (t) => {
    const folder = await tempFolder(t)
    const page = (await fetchPage(`${door.url}/.btlink/setup`)).text
    for (const [path, form] of [
      ['rootca.pem', 'PEM'],
      ['rootca.crt', 'DER'],
    ] as const) {
      const { body, headers } = await download(path, { host: site })
      await writeFile(join(folder, path), body)
      assert.equal(await fingerprint(join(folder, path), form), root.sha256)
      assert.equal(headers['content-type'], 'application/x-x509-ca-cert')
    }
    const shown = new X509Certificate(Buffer.from(root.pem)).fingerprint256
    assert.ok(page.includes(shown), 'no fingerprint on the page')
    assert.ok(page.includes(root.words.join(' ')), 'no words on the page')
  })

  it('is a profile that Apple devices read', { skip: missing(PYTHON) }, async (t) => {
    const { body, headers } = await download('rootca.mobileconfig', { host: 'setup.btlink' })
    assert.equal(headers['content-type'], 'application/x-apple-aspen-config')
    const file = join(await tempFolder(t), 'rootca.mobileconfig')
    await writeFile(file, body)
    const script = `
import hashlib, json, plistlib, sys, uuid
with open(sys.argv[1], 'rb') as f: profile = plistlib.load(f)
payload, = profile['PayloadContent']
for one in (profile, payload):
    uuid.UUID(one['PayloadUUID'])
    assert one['PayloadVersion'] == 1 and one['PayloadIdentifier'] and one['PayloadDisplayName']
assert profile['PayloadUUID'] != payload['PayloadUUID']
assert profile['PayloadIdentifier'] != payload['PayloadIdentifier']
print(json.dumps([profile['PayloadType'], payload['PayloadType'], hashlib.sha256(payload['PayloadContent']).hexdigest()]))`
    const read = JSON.parse(await output(PYTHON, ['-c', script, file])) as unknown
    assert.deepEqual(read, ['Configuration', 'com.apple.security.root', root.sha256])
  })

  it('answers HEAD, and 304 to who has it', async () => {
    for (const path of ['rootca.pem', 'rootca.crt', 'rootca.mobileconfig']) {
      const whole = await download(path)
      const head = await download(path, { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(head.headers['content-length'], String(whole.body.length))
      assert.equal(head.body.length, 0)
      const etag = whole.headers['etag'] ?? ''
      const again = await download(path, { headers: { 'If-None-Match': etag } })
      assert.equal(again.status, 304)
      assert.equal(again.body.length, 0)
    }
  })

  it('is another one for domains with link records, where there are any', async (t) => {
    const links = await door.pki.root('links')
    assert.equal((await download('rootca.pem?realm=links')).text, links.pem)
    assert.notEqual(links.sha256, root.sha256)
    const off: Door = await startDoor(t)
    const none = await fetchPage(`${off.url}/.btlink/rootca.pem?realm=links`)
    assert.equal(none.status, 404)
    assert.equal(none.code, 'BTL_ERR_PKI_NO_AUTHORITY')
    const bad = await download('rootca.pem?realm=%3Cb%3E')
    assert.equal(bad.status, 400)
    assert.equal(bad.code, 'BTL_ERR_SETUP_REALM')
  })

  it('is for people and programs, not for the pages of a site', async () => {
    for (const mode of ['cors', 'no-cors', 'same-origin', 'websocket']) {
      const { status, code } = await download('rootca.pem', {
        host: site,
        headers: { 'Sec-Fetch-Mode': mode },
      })
      assert.equal(status, 403, mode)
      assert.equal(code, 'BTL_ERR_SETUP_NOT_FOR_SCRIPTS')
    }
    const visited = await download('rootca.pem', { headers: { 'Sec-Fetch-Mode': 'navigate' } })
    assert.equal(visited.status, 200)
  })

  it('can only be read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await download('rootca.pem', { method, body: 'x' })
      assert.equal(status, 405, method)
      assert.equal(headers['allow'], 'GET, HEAD')
    }
  })

  it('that cannot be had is an answer, and the page is there without it', async (t) => {
    const broken = await startDoor(t, {
      root: async () => {
        throw new Error('/secret/place is gone')
      },
    })
    const file = await fetchPage(`${broken.url}/.btlink/rootca.pem`)
    assert.equal(file.status, 500)
    assert.ok(!file.text.includes('secret'))
    const page = await fetchPage(`${broken.url}/.btlink/setup`)
    assert.equal(page.status, 200)
    assert.match(page.text, /no certificate to show/)
  })

  it('leaves other reserved paths to the gateway', async () => {
    assert.equal((await fetchPage(`${door.url}/.btlink/info.json`, { host: site })).status, 200)
    assert.equal((await fetchPage(`${door.url}/.btlink/rootca.key`, { host: site })).status, 404)
  })
})
