import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { OPENSSL, rootFileOf, rootOf, sClient, site } from '../support/box-trust.ts'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { missing, run } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'

const CURL = '/usr/bin/curl'
const CAST = 'chromecast.link'

const isTrusted = async (box: TestDaemon, host: string, rootFile: string): Promise<boolean> => {
  const check = ['-CAfile', rootFile, '-no-CApath', '-verify_return_error']
  const { code } = await sClient(box, '-servername', host, '-verify_hostname', host, ...check)
  return code === 0
}

describe('two boxes of one household', { skip: missing(OPENSSL, CURL) }, () => {
  it('share a root, so that a device that trusts one opens https on both (E12)', async (t) => {
    const [a, b] = [await createTestDaemon(t), await createTestDaemon(t)]
    const rootFile = await rootFileOf(t, a)
    assert.equal(await isTrusted(a, site(1), rootFile), true)
    assert.equal(await isTrusted(b, site(1), rootFile), false)

    const folder = await tempFolder(t)
    const [bundle, secret] = [join(folder, 'bundle'), join(folder, 'secret')]
    await writeFile(secret, 'correct horse battery staple\n')
    const by = ['--passphrase-file', secret]
    await a.json('ca', 'export', '-o', bundle, ...by)
    assert.doesNotMatch(await readFile(bundle, 'utf8'), /PRIVATE|CERTIFICATE/)
    await b.json('ca', 'import', bundle, ...by)

    assert.equal((await rootOf(b)).sha256, (await rootOf(a)).sha256)
    assert.equal(await isTrusted(b, site(1), rootFile), true)
    const https = String(b.port('https'))
    const quiet = ['-q', '-sS', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', rootFile]
    const at = ['--resolve', `setup.btlink:${https}:127.0.0.1`, `https://setup.btlink:${https}/`]
    const page = await run(CURL, [...quiet, ...at])
    assert.equal(page.stdout, '200', page.stderr)
    await b.restart()
    assert.equal(await isTrusted(b, site(2), rootFile), true)
    assert.equal(await isTrusted(a, site(2), rootFile), true)
  })
})

describe('https of a link domain', { skip: missing(OPENSSL) }, () => {
  it('is there from the moment its owner turns it on to when it is off again (E03)', async (t) => {
    const box = await createTestDaemon(t)
    const names = await rootFileOf(t, box)
    const refused = async () => (await sClient(box, '-servername', CAST)).stderr
    assert.match(await refused(), /alert unrecognized name|alert number 112/)
    assert.equal((await box.get('setup.btlink', '/.btlink/rootca.pem?realm=links')).status, 404)

    await box.json('ca', 'link-domains', 'on', CAST)
    const file = join(await tempFolder(t), 'links.pem')
    const served = await box.get('setup.btlink', '/.btlink/rootca.pem?realm=links')
    await writeFile(file, served.body)
    assert.equal(await isTrusted(box, CAST, file), true)
    assert.equal(await isTrusted(box, `www.${CAST}`, file), true)
    assert.equal(await isTrusted(box, CAST, names), false, 'the root of names says nothing of it')
    assert.equal(await isTrusted(box, site(1), file), false, 'nor the other way round')
    assert.equal(await isTrusted(box, site(1), names), true)

    await box.restart()
    assert.equal(await isTrusted(box, CAST, file), true)
    await box.json('ca', 'link-domains', 'off', '--yes')
    assert.match(await refused(), /alert unrecognized name|alert number 112/)
    assert.equal((await box.get('setup.btlink', '/.btlink/rootca.pem?realm=links')).status, 404)
    assert.equal(await isTrusted(box, site(1), names), true)
  })
})
