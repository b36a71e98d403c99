import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codeOf } from '../../../src/base/errors.ts'
import { sha256 } from '../../../src/base/hashes.ts'
import { AUTHORITY_FILES, makeAuthority } from '../../../src/engines/pki/authority.ts'
import { openBundle, sealBundle } from '../../../src/engines/pki/bundle.ts'
import { fingerprintWords } from '../../../src/engines/pki/words.ts'
import { missing, output } from '../../support/processes.ts'
import { certificatesOf, firstOf, NOW, openPki, PASSPHRASE, siteHost } from './open-pki.ts'

const PYTHON = '/usr/bin/python3'

describe('a new root', () => {
  it('takes over from the old one, whose leaves are dropped', async (t) => {
    const { pki, folder } = await openPki(t)
    const before = await pki.root()
    const leaf = await pki.leaf(siteHost(1))
    const fallback = await pki.fallback()
    const after = await pki.rotate('names')
    assert.notEqual(after.sha256, before.sha256)
    assert.equal((await pki.root()).sha256, after.sha256)
    assert.equal(pki.stats()['leaves_cached'], 0)
    const [, issuer] = certificatesOf((await pki.leaf(siteHost(1))).cert)
    assert.ok(issuer?.verify(firstOf(after.pem).publicKey))
    assert.notEqual(await pki.leaf(siteHost(1)), leaf)
    assert.notEqual(await pki.fallback(), fallback)
    const again = await openPki(t, { folder })
    assert.equal((await again.pki.root()).sha256, after.sha256)
  })

  it('leaves the old one for export, until that is forgotten', async (t) => {
    const { pki } = await openPki(t)
    const first = await pki.root()
    const second = await pki.rotate('names')
    await pki.rotate('names')
    assert.deepEqual(
      (await pki.former('names')).map((root) => root.sha256),
      [second.sha256, first.sha256],
    )
    const text = await pki.exportAuthority('names', PASSPHRASE, { sha256: first.sha256 })
    const other = await openPki(t)
    assert.equal((await other.pki.importAuthority(text, PASSPHRASE)).sha256, first.sha256)
    assert.equal(await pki.forget('names'), 2)
    assert.equal(await pki.forget('names'), 0)
    assert.deepEqual(await pki.former('names'), [])
    await assert.rejects(pki.exportAuthority('names', PASSPHRASE, { sha256: first.sha256 }), {
      code: 'BTL_ERR_PKI_NO_AUTHORITY',
    })
  })

  it('of the link domains leaves the one of the names alone', async (t) => {
    const { pki } = await openPki(t, { link_domains: ['chromecast.link'] })
    const [names, links] = [await pki.root(), await pki.root('links')]
    assert.notEqual((await pki.rotate('links')).sha256, links.sha256)
    assert.equal((await pki.root()).sha256, names.sha256)
  })

  it('is made one at a time', async (t) => {
    const { pki } = await openPki(t)
    const roots = await Promise.all([pki.rotate('names'), pki.rotate('names'), pki.rotate('names')])
    assert.equal(new Set(roots.map((root) => root.sha256)).size, 3)
    assert.equal((await pki.former('names')).length, 3)
  })
})

describe('a former root', () => {
  it('that was removed in part is left out, and forgotten with the others', async (t) => {
    const { pki, folder, logged } = await openPki(t)
    const first = await pki.root()
    await pki.rotate('names')
    await pki.rotate('names')
    await rm(join(folder, 'names', 'btlink', '2', 'root.pem'))
    assert.deepEqual(
      (await pki.former('names')).map((root) => root.sha256),
      [first.sha256],
    )
    assert.match(logged.join('\n'), /warn a former authority cannot be read/)
    assert.equal(await pki.forget('names'), 2)
  })
})

describe('an export', () => {
  it('gives another box the same root, and leaves that chain to it', async (t) => {
    const [one, other] = [await openPki(t), await openPki(t)]
    const root = await one.pki.root()
    const text = await one.pki.exportAuthority('names', PASSPHRASE)
    const own = await other.pki.root()
    await other.pki.leaf(siteHost(1))
    assert.equal(
      (await other.pki.importAuthority(`\n ${text}\r\n`, PASSPHRASE)).sha256,
      root.sha256,
    )
    const [leaf, issuer] = certificatesOf((await other.pki.leaf(siteHost(1))).cert)
    assert.ok(leaf && issuer)
    assert.ok(leaf.verify(issuer.publicKey) && issuer.verify(firstOf(root.pem).publicKey))
    assert.deepEqual(
      (await other.pki.former('names')).map((former) => former.sha256),
      [own.sha256],
    )
    const again = await openPki(t, { folder: other.folder })
    assert.equal((await again.pki.root()).sha256, root.sha256)
  })

  it('that is in force already changes nothing', async (t) => {
    const { pki } = await openPki(t)
    const leaf = await pki.leaf(siteHost(1))
    await pki.importAuthority(await pki.exportAuthority('names', PASSPHRASE), PASSPHRASE)
    assert.deepEqual(await pki.former('names'), [])
    assert.equal(await pki.leaf(siteHost(1)), leaf)
  })

  it('shows neither key nor certificate, and is another text each time', async (t) => {
    const { pki } = await openPki(t)
    const text = await pki.exportAuthority('names', PASSPHRASE)
    assert.notEqual(await pki.exportAuthority('names', PASSPHRASE), text)
    const lines = text.trimEnd().split('\n')
    const bytes = Buffer.from(lines.slice(1, -1).join(''), 'base64').toString('latin1')
    assert.doesNotMatch(bytes, /PRIVATE|CERTIFICATE|btlink|names/)
  })

  it('is opened by the same letters typed on another keyboard', async () => {
    const bundle = { realm: 'names' as const, files: new Map([['root.pem', 'x']]) }
    const text = await sealBundle(bundle, 'Bru\u0308cke am Abend')
    assert.deepEqual(await openBundle(text, 'Br\u00fccke am Abend'), bundle)
  })

  it('is not made under a passphrase of a few characters, or of a book', async (t) => {
    const { pki } = await openPki(t)
    for (const passphrase of ['', 'short', 'x'.repeat(1025)]) {
      await assert.rejects(pki.exportAuthority('names', passphrase), {
        code: 'BTL_ERR_PKI_WEAK_PASSPHRASE',
      })
    }
    await assert.rejects(
      pki.exportAuthority('names', PASSPHRASE, { sha256: sha256('0'.repeat(64)) }),
      { code: 'BTL_ERR_PKI_NO_AUTHORITY' },
    )
  })

  it('does not open with another passphrase, or with any of its bits changed', async () => {
    const text = await sealBundle(
      { realm: 'names', files: new Map([['root.pem', 'x']]) },
      PASSPHRASE,
    )
    await assert.rejects(openBundle(text, `${PASSPHRASE} `), { code: 'BTL_ERR_PKI_BAD_PASSPHRASE' })
    await assert.rejects(openBundle(text, 'x'.repeat(5000)), { code: 'BTL_ERR_PKI_BAD_PASSPHRASE' })
    const bytes = Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64')
    const armor = (changed: Buffer) =>
      `-----BEGIN BTLINK AUTHORITY-----\n${changed.toString('base64')}\n-----END BTLINK AUTHORITY-----`
    assert.equal((await openBundle(armor(bytes), PASSPHRASE)).realm, 'names')
    // One of each part: version, salt, nonce, text, tag.
    for (const at of [0, 1, 17, 29, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 0x10
      await assert.rejects(openBundle(armor(changed), PASSPHRASE), (error) =>
        ['BTL_ERR_PKI_BAD_PASSPHRASE', 'BTL_ERR_PKI_BAD_BUNDLE'].includes(codeOf(error) ?? ''),
      )
    }
  })
})

describe('an import', () => {
  const junk = [
    '',
    'x',
    '-----BEGIN BTLINK AUTHORITY-----\n-----END BTLINK AUTHORITY-----',
    '-----BEGIN BTLINK AUTHORITY-----\nAQ==\n-----END BTLINK AUTHORITY-----',
    `-----BEGIN BTLINK AUTHORITY-----\n${'A'.repeat(200)}\n-----END BTLINK AUTHORITY-----`,
    `-----BEGIN BTLINK AUTHORITY-----\n${'A'.repeat(40_000)}\n-----END BTLINK AUTHORITY-----`,
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
  ]
  for (const text of junk) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))} of ${text.length} characters`, async (t) => {
      const { pki } = await openPki(t)
      await assert.rejects(pki.importAuthority(text, PASSPHRASE), {
        code: 'BTL_ERR_PKI_BAD_BUNDLE',
        statusCode: 400,
      })
    })
  }

  it('refuses any text that is no export', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 300 }), async (text) => {
        await assert.rejects(openBundle(text, PASSPHRASE), { code: 'BTL_ERR_PKI_BAD_BUNDLE' })
      }),
    )
  })

  const contents: [what: string, files: ReadonlyMap<string, string>, realm: 'names' | 'links'][] = [
    ['that holds nothing', new Map(), 'names'],
    [
      'whose keys are missing',
      new Map([['root.pem', makeAuthority('x', ['btlink'], NOW).get('root.pem') ?? '']]),
      'names',
    ],
    [
      'that vouches for more than this box may',
      makeAuthority('x', ['btlink', 'bank.example'], NOW),
      'names',
    ],
    ['that vouches for other names', makeAuthority('x', ['com'], NOW), 'names'],
    [
      'that vouches for a configured name but not for the sites',
      makeAuthority('x', ['box.lan'], NOW),
      'names',
    ],
    ['for link domains that are off', makeAuthority('x', ['chromecast.link'], NOW), 'links'],
    ['of names as one of link domains', makeAuthority('x', ['btlink'], NOW), 'links'],
  ]
  for (const [what, files, realm] of contents) {
    it(`refuses an authority ${what}, and keeps its own`, async (t) => {
      const { pki } = await openPki(t, { box_names: ['box.lan'] })
      const before = await pki.root()
      const text = await sealBundle({ realm, files }, PASSPHRASE)
      await assert.rejects(pki.importAuthority(text, PASSPHRASE), {
        code: 'BTL_ERR_PKI_BAD_BUNDLE',
      })
      assert.equal((await pki.root()).sha256, before.sha256)
      assert.deepEqual(await pki.former('names'), [])
    })
  }

  it('refuses an authority that ended', async (t) => {
    const { pki } = await openPki(t)
    const files = makeAuthority('x', ['btlink'], Date.UTC(2016, 0))
    const text = await sealBundle({ realm: 'names', files }, PASSPHRASE)
    await assert.rejects(pki.importAuthority(text, PASSPHRASE), /it ended on 2025-/)
  })

  it('takes no file names from it', async () => {
    const files = new Map([
      ['../../etc/passwd', 'x'],
      ['root.pem', 'y'],
    ])
    const opened = await openBundle(
      await sealBundle({ realm: 'links', files }, PASSPHRASE),
      PASSPHRASE,
    )
    assert.deepEqual([...opened.files], [['root.pem', 'y']])
    assert.equal(AUTHORITY_FILES.length, 7)
  })
})

describe('the profile for Apple devices', () => {
  it('is a property list with the root in it, and stays the same', {
    skip: missing(PYTHON),
  }, async (t) => {
    const { pki, folder } = await openPki(t)
    const { mobileConfig, der, name } = await pki.root()
    const again = await openPki(t, { folder })
    assert.equal((await again.pki.root()).mobileConfig, mobileConfig)
    const script = `
import json, plistlib, sys
p = plistlib.loads(sys.stdin.buffer.read())
c = p['PayloadContent'][0]
print(json.dumps([p['PayloadType'], p['PayloadUUID'], p['PayloadDisplayName'], p['PayloadIdentifier'],
  c['PayloadType'], c['PayloadUUID'], c['PayloadContent'].hex()]))`
    const read = JSON.parse(
      await output(PYTHON, ['-c', script], { input: mobileConfig }),
    ) as string[]
    const [kind, uuid, title, , content, inner, hex] = read
    assert.deepEqual([kind, content, title], ['Configuration', 'com.apple.security.root', name])
    assert.equal(hex, Buffer.from(der).toString('hex'))
    const shape = /^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/
    assert.match(uuid ?? '', shape)
    assert.match(inner ?? '', shape)
    assert.notEqual(uuid, inner)
    const other = await openPki(t)
    assert.ok(!(await other.pki.root()).mobileConfig.includes(uuid ?? ''))
  })
})

describe('fingerprints in words', () => {
  const all = Array.from(
    { length: 256 },
    (_, byte) => fingerprintWords(Uint8Array.of(byte))[0] ?? '',
  )

  it('have a word of four to six letters for every byte, each beginning like no other', () => {
    for (const word of all) assert.match(word, /^[a-z]{4,6}$/)
    assert.equal(new Set(all.map((word) => word.slice(0, 3))).size, 256)
  })

  it('say the first ten bytes in order', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, at) => at * 7)
    assert.deepEqual(
      fingerprintWords(bytes),
      [...bytes.subarray(0, 10)].map((byte) => all[byte]),
    )
  })
})
