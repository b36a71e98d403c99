import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { missing, output } from '../../support/processes.ts'
import { SITE, stateAtRest } from './state-at-rest.ts'

const OPENSSL = '/usr/bin/openssl'

describe('btlinkd gencert', { skip: missing(OPENSSL) }, () => {
  it('prints leaf, issuer and key of a host and its further names (F01)', async (t) => {
    const { state, cli, root } = await stateAtRest(t)
    const { stdout } = await cli(['gencert', SITE, 'setup.btlink'])
    const [leaf = '', issuer = '', ...more] =
      stdout.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    assert.deepEqual(more, [])
    const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(stdout)?.[0] ?? ''
    assert.ok(new X509Certificate(leaf).checkPrivateKey(createPrivateKey(key)))
    const files = { leaf, issuer, root: (await root()).pem }
    for (const [name, text] of Object.entries(files)) await writeFile(join(state, name), text)
    for (const host of [SITE, 'setup.btlink']) {
      const args = ['verify', '-CAfile', 'root', '-untrusted', 'issuer', '-verify_hostname', host]
      assert.match(
        await output(OPENSSL, [...args, '-purpose', 'sslserver', 'leaf'], { cwd: state }),
        /^leaf: OK/,
      )
    }
    const text = await output(OPENSSL, ['x509', '-in', 'leaf', '-noout', '-text'], { cwd: state })
    assert.match(text, new RegExp(`DNS:${SITE}, DNS:setup\\.btlink\\n`))
    assert.match(text, /Issuer: O = btlink, OU = household intermediate/)
    assert.match(text, /Subject: O = btlink, OU = /)
  })

  it('writes a file for its owner alone, also in the place of one that was open', async (t) => {
    const { state, cli, json } = await stateAtRest(t)
    const file = join(state, 'server.pem')
    await writeFile(file, 'old', { mode: 0o644 })
    const done = await json(['gencert', SITE, '-o', file])
    assert.deepEqual(done['hosts'], [SITE])
    assert.equal(done['key'], undefined)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.match(await readFile(file, 'utf8'), /^-----BEGIN CERTIFICATE[^]+END PRIVATE KEY-----\n$/)
    await mkdir(join(state, 'folder'))
    const failed = await cli(['gencert', SITE, '-o', join(state, 'folder')])
    assert.equal(failed.code, 1)
    assert.match(failed.stderr, /cannot write .*folder: E/)
    assert.deepEqual((await readdir(state)).sort(), ['folder', 'pki', 'server.pem'])
  })

  it('gives every host a serial of its own (E07)', async (t) => {
    const { json } = await stateAtRest(t)
    const serials = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const { cert } = (await json(['gencert', SITE])) as { cert: string }
      serials.add(new X509Certificate(cert).serialNumber)
    }
    assert.equal(serials.size, 3)
  })
})

describe('the verbs of certificates', () => {
  it('refuses what makes no sense in one line', async (t) => {
    const { cli } = await stateAtRest(t)
    const mistakes: [string[], number, RegExp][] = [
      [['ca'], 2, /ca takes 1 to \d+ arguments/],
      [['ca', 'shw'], 2, /ca has no "shw": show, export/],
      [['ca', 'show', 'x'], 2, /ca show takes no arguments/],
      [['ca', 'import'], 2, /name the file/],
      [['ca', 'import', '/nonexistent'], 1, /cannot read \/nonexistent: ENOENT/],
      [['ca', 'export', '--passphrase-file', '/'], 1, /cannot read \/: EISDIR/],
      [['ca', 'link-domains', 'perhaps'], 2, /turned on or off, not "perhaps"/],
      [['ca', 'link-domains', 'on'], 2, /name the domains/],
      [['ca', 'link-domains', 'on', 'com'], 1, /"com" is a top-level domain/],
      [['ca', 'rotate', '--links', '--yes'], 1, /no certificate authority for links/],
      [['gencert'], 2, /gencert takes/],
      [
        ['gencert', 'example.com'],
        1,
        /no certificate for "example\.com": it is not under \.btlink/,
      ],
      [['gencert', '*.btlink'], 1, /it is not a host name/],
      [['gencert', '127.0.0.1'], 1, /the root certificate excludes addresses/],
    ]
    for (const [args, exit, expected] of mistakes) {
      const { code, stderr } = await cli(args)
      assert.match(stderr, expected)
      assert.equal(code, exit, args.join(' '))
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    }
  })
})
