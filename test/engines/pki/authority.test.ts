import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codeOf } from '../../../src/base/errors.ts'
import { makeAuthority, readAuthority } from '../../../src/engines/pki/authority.ts'
import {
  intermediateExtensions,
  readAuthorityFacts,
  rootExtensions,
  signCertificate,
  subjectName,
  toPem,
} from '../../../src/engines/pki/certificate.ts'
import { missing, output, run } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { DAY, firstOf, KEY, NOW, openPki, siteHost } from './open-pki.ts'

const OPENSSL = '/usr/bin/openssl'
const textOf = (file: string) => output(OPENSSL, ['x509', '-noout', '-text', '-in', file])

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

const CONSTRAINTS =
  /X509v3 Name Constraints: critical\s+Permitted:\s+DNS:btlink\s+Excluded:\s+IP:0\.0\.0\.0\/0\.0\.0\.0\s+IP:0:0:0:0:0:0:0:0\/0:0:0:0:0:0:0:0\s/

describe('the root', () => {
  it('is made at the first start, other than that of any other box, and stays', async (t) => {
    const one = await openPki(t)
    const other = await openPki(t)
    const { sha256, name } = await one.pki.root()
    assert.notEqual((await other.pki.root()).sha256, sha256)
    assert.notEqual((await other.pki.root()).name, name)
    const again = await openPki(t, { folder: one.folder, now: NOW + 400 * DAY })
    assert.equal((await again.pki.root()).sha256, sha256)
  })

  it('is another one under another top-level domain, and the same again on the way back', async (t) => {
    const one = await openPki(t)
    const other = await openPki(t, { folder: one.folder, tld: 'house', reserved_hosts: [] })
    assert.deepEqual((await other.pki.root()).permitted, ['house'])
    await assert.rejects(other.pki.leaf(siteHost(1)), { code: 'BTL_ERR_PKI_FOREIGN_NAME' })
    const back = await openPki(t, { folder: one.folder })
    assert.equal((await back.pki.root()).sha256, (await one.pki.root()).sha256)
  })

  it('leaves no key of its own on the disk', async (t) => {
    const { pki, folder } = await openPki(t)
    const root = firstOf((await pki.root()).pem)
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    assert.equal(files.length, 7)
    for (const { parentPath, name } of files) {
      const text = await readFile(join(parentPath, name), 'utf8')
      if (!text.includes('PRIVATE KEY')) continue
      assert.match(name, /^intermediate-[123]\.key$/)
      assert.equal(root.checkPrivateKey(createPrivateKey(text)), false)
    }
  })

  it('keeps keys to its owner', async (t) => {
    const { folder } = await openPki(t)
    const place = join(folder, 'names', 'btlink', '1')
    const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
    assert.equal(await modeOf(folder), '700')
    assert.equal(await modeOf(place), '700')
    for (const index of [1, 2, 3]) {
      assert.equal(await modeOf(join(place, `intermediate-${index}.key`)), '600')
    }
  })

  it('says its fingerprint in hex, as openssl does, and in ten words', {
    skip: missing(OPENSSL),
  }, async (t) => {
    const { pki } = await openPki(t)
    const { pem, sha256, words } = await pki.root()
    const args = ['x509', '-noout', '-fingerprint', '-sha256']
    const said = await output(OPENSSL, args, { input: pem })
    assert.equal(said.trim().split('=')[1]?.replaceAll(':', '').toLowerCase(), sha256)
    assert.equal(words.length, 10)
    for (const word of words) assert.match(word, /^[a-z]{4,6}$/)
  })
})

describe('the certificates', { skip: missing(OPENSSL) }, () => {
  it('of root and intermediates carry the constraints, critical, for openssl to read', async (t) => {
    const { folder } = await openPki(t)
    const place = join(folder, 'names', 'btlink', '1')
    for (const name of ['root', 'intermediate-1', 'intermediate-2', 'intermediate-3']) {
      const text = await textOf(join(place, `${name}.pem`))
      assert.match(text, CONSTRAINTS, name)
      const below = name === 'root' ? 1 : 0
      assert.match(text, new RegExp(`Basic Constraints: critical\\s+CA:TRUE, pathlen:${below}\\s`))
      assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign\s/)
      assert.match(text, /Subject: O = btlink, OU = household (?:root|intermediate), CN = btlink /)
      assert.match(text, /ASN1 OID: prime256v1/)
      assert.equal(
        /Extended Key Usage: \s+TLS Web Server Authentication\s/.test(text),
        name !== 'root',
      )
      assert.match(text, /Not Before: Jan {2}1 00:00:00 2024 GMT/)
    }
  })

  it('of a leaf say what it is for and no more', async (t) => {
    const { pki, folder } = await openPki(t)
    const file = join(folder, 'leaf.pem')
    await writeFile(file, (await pki.leaf(`blog.${KEY}-pk.btlink`)).cert)
    const text = await textOf(file)
    assert.match(text, /Basic Constraints: critical\s+CA:FALSE/)
    assert.match(text, /Key Usage: critical\s+Digital Signature\s/)
    assert.match(text, /Extended Key Usage: \s+TLS Web Server Authentication\s/)
    assert.match(text, new RegExp(`DNS:blog\\.${KEY}-pk\\.btlink, DNS:\\*\\.${KEY}-pk\\.btlink\\s`))
    assert.match(text, /Subject: O = btlink, OU = household site\s/)
  })

  it('are verified by openssl under its strictest rules, with each of the three intermediates', async (t) => {
    const { pki, folder } = await openPki(t, { now: Date.now() })
    const place = join(folder, 'names', 'btlink', '1')
    const file = join(folder, 'leaf.pem')
    await writeFile(file, (await pki.leaf(siteHost(1))).cert)
    const strict = ['verify', '-x509_strict', '-policy_check', '-CAfile', join(place, 'root.pem')]
    await output(OPENSSL, [...strict, '-untrusted', file, '-verify_hostname', siteHost(1), file])
    for (const index of [1, 2, 3]) {
      await output(OPENSSL, [...strict, join(place, `intermediate-${index}.pem`)])
    }
    const other = await run(OPENSSL, [
      ...strict,
      '-untrusted',
      file,
      '-verify_hostname',
      siteHost(2),
      file,
    ])
    assert.notEqual(other.code, 0)
  })
})

describe('an authority read back', () => {
  const files = makeAuthority('btlink', ['btlink'], NOW)
  const stranger = makeAuthority('btlink', ['btlink'], NOW)
  const wide = makeAuthority('btlink', ['btlink', 'com'], NOW)
  const swap = (changes: Record<string, string | undefined>) => {
    const changed = new Map(files)
    for (const [name, text] of Object.entries(changes)) {
      if (text === undefined) changed.delete(name)
      else changed.set(name, text)
    }
    return changed
  }
  const of = (from: ReadonlyMap<string, string>, name: string) => from.get(name) ?? ''

  it('is what was made', () => {
    const read = readAuthority(files)
    assert.deepEqual(read.permitted, ['btlink'])
    assert.deepEqual(read.faults, [])
    assert.equal(read.rootPem, files.get('root.pem'))
    const issuer = new X509Certificate(read.issuer.pem)
    assert.equal(
      Buffer.from(read.issuer.subject).toString('hex'),
      Buffer.from(readAuthorityFacts(issuer.raw).subject).toString('hex'),
    )
  })

  const noKey = { 'intermediate-2.key': undefined, 'intermediate-3.key': undefined }
  const hopeless: [what: string, changes: Record<string, string | undefined>, reason: RegExp][] = [
    ['no root', { 'root.pem': undefined }, /root\.pem is missing/],
    ['an empty root', { 'root.pem': '' }, /root\.pem cannot be read/],
    [
      'half a root',
      { 'root.pem': of(files, 'root.pem').slice(0, 300) },
      /root\.pem cannot be read/,
    ],
    ['a root of somebody else', { 'root.pem': of(stranger, 'root.pem') }, /was not signed by root/],
    ['an intermediate as root', { 'root.pem': of(files, 'intermediate-1.pem') }, /is no root/],
    ['no key at all', { 'intermediate-1.key': undefined, ...noKey }, /-1\.key is missing/],
    [
      'a key of somebody else',
      { 'intermediate-1.key': of(stranger, 'intermediate-1.key'), ...noKey },
      /-1\.key does not belong/,
    ],
    [
      'keys swapped among them',
      {
        'intermediate-1.key': of(files, 'intermediate-2.key'),
        'intermediate-2.key': of(files, 'intermediate-3.key'),
        'intermediate-3.key': of(files, 'intermediate-1.key'),
      },
      /does not belong/,
    ],
    [
      'half a key',
      { 'intermediate-1.key': of(files, 'intermediate-1.key').slice(0, 90), ...noKey },
      /-1\.key cannot be read/,
    ],
    [
      'a certificate where the key should be',
      { 'intermediate-1.key': of(files, 'intermediate-1.pem'), ...noKey },
      /-1\.key cannot be read/,
    ],
    ['zeroes', { 'root.pem': '\0'.repeat(800) }, /root\.pem cannot be read/],
  ]
  for (const [what, changes, reason] of hopeless) {
    it(`is refused with ${what}`, () => {
      assert.throws(
        () => readAuthority(swap(changes)),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'BTL_ERR_PKI_BAD_DER')
          return reason.test(error.message)
        },
      )
    })
  }

  it('is whole or refused, whatever bits of its files are changed', () => {
    const names = ['root.pem', 'intermediate-1.pem', 'intermediate-1.key']
    const change = fc.record({
      name: fc.constantFrom(...names),
      at: fc.nat(),
      bit: fc.integer({ min: 0, max: 7 }),
      cut: fc.boolean(),
    })
    fc.assert(
      fc.property(change, ({ name, at, bit, cut }) => {
        const [begin = '', ...lines] = of(files, name).trimEnd().split('\n')
        const der = Buffer.from(lines.slice(0, -1).join(''), 'base64')
        const place = at % der.length
        der[place] = (der[place] ?? 0) ^ (1 << bit)
        const label = begin.slice(11, -5)
        try {
          const changed = swap({
            [name]: toPem(cut ? der.subarray(0, place) : der, label),
            ...noKey,
          })
          assert.deepEqual(readAuthority(changed).permitted, ['btlink'])
        } catch (error) {
          assert.equal(codeOf(error), 'BTL_ERR_PKI_BAD_DER', String(error))
        }
      }),
      { numRuns: 1500 },
    )
  })

  it('takes the next intermediate where one is damaged, and says so', () => {
    const read = readAuthority(swap({ 'intermediate-1.key': 'x', 'intermediate-2.pem': undefined }))
    assert.equal(new X509Certificate(read.issuer.pem).subject.endsWith('-3'), true)
    assert.equal(read.faults.length, 2)
  })

  it('is refused where the intermediates came from a root with wider limits', () => {
    const changed = new Map(wide)
    changed.set('root.pem', of(files, 'root.pem'))
    assert.throws(() => readAuthority(changed), { code: 'BTL_ERR_PKI_BAD_DER' })
  })

  it('is refused where one root signed intermediates for other names', () => {
    const [keys, below] = [newKeys(), newKeys()]
    const name = subjectName({ organisation: 'x', unit: 'x', common: 'x' })
    const lower = subjectName({ organisation: 'x', unit: 'x', common: 'y' })
    const make = (subject: Uint8Array, publicKey: KeyObject, extensions: Uint8Array[]) =>
      toPem(
        signCertificate(
          {
            issuer: name,
            subject,
            notBefore: NOW,
            notAfter: NOW + DAY,
            publicKey: publicKey.export({ format: 'der', type: 'spki' }),
            extensions,
          },
          keys.privateKey,
        ),
        'CERTIFICATE',
      )
    const withNames = (names: string[]) =>
      new Map([
        ['root.pem', make(name, keys.publicKey, rootExtensions(keys.publicKey, ['btlink']))],
        [
          'intermediate-1.pem',
          make(
            lower,
            below.publicKey,
            intermediateExtensions(below.publicKey, keys.publicKey, names),
          ),
        ],
        [
          'intermediate-1.key',
          below.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
        ],
      ])
    assert.deepEqual(readAuthority(withNames(['btlink'])).permitted, ['btlink'])
    assert.throws(
      () => readAuthority(withNames(['btlink', 'com'])),
      /limited to other names than root/,
    )
  })

  it('is refused without constraints, whoever signed it', { skip: missing(OPENSSL) }, async (t) => {
    const folder = await tempFolder(t)
    const [key, pem] = [join(folder, 'k'), join(folder, 'c')]
    for (const extension of [
      [],
      ['-addext', 'nameConstraints=critical,permitted;DNS:btlink'],
      [
        '-addext',
        'nameConstraints=permitted;DNS:btlink,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::',
      ],
      ['-addext', 'nameConstraints=critical,permitted;DNS:btlink,permitted;IP:10.0.0.0/255.0.0.0'],
    ]) {
      const args = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
      ]
      await output(OPENSSL, [
        ...args,
        '-keyout',
        key,
        '-out',
        pem,
        '-subj',
        '/O=x/CN=x',
        ...extension,
      ])
      const changed = swap({ 'root.pem': await readFile(pem, 'utf8') })
      assert.throws(() => readAuthority(changed), /name constraints/)
    }
  })

  it('is the same byte for byte as one that openssl makes of the same constraints', {
    skip: missing(OPENSSL),
  }, async (t) => {
    const folder = await tempFolder(t)
    const [key, pem] = [join(folder, 'k'), join(folder, 'c')]
    const constraints =
      'nameConstraints=critical,permitted;DNS:btlink,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::'
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    await output(OPENSSL, [
      ...args,
      '-keyout',
      key,
      '-out',
      pem,
      '-subj',
      '/O=x/CN=x',
      '-addext',
      constraints,
    ])
    const { raw } = new X509Certificate(await readFile(pem))
    assert.deepEqual(readAuthorityFacts(raw).permitted, ['btlink'])
  })
})

describe('keys that others could read', () => {
  it('are closed, with a warning', async (t) => {
    const { pki, folder } = await openPki(t)
    const { sha256 } = await pki.root()
    const path = join(folder, 'names', 'btlink', '1', 'intermediate-2.key')
    await chmod(path, 0o644)
    const again = await openPki(t, { folder })
    assert.equal((await again.pki.root()).sha256, sha256)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.match(again.logged.join('\n'), /warn a key could be read by others/)
  })
})
