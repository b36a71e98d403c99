import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { kindOf, listState } from '../../../src/services/backup/index.ts'
import { seal, unseal } from '../../../src/services/backup/age.ts'
import { readTar } from '../../../src/services/backup/tar-reader.ts'
import { type TarFile, writeTar } from '../../../src/services/backup/tar-writer.ts'
import { tempFolder } from '../../support/temp.ts'
import { backupOf, gather, inPieces, makeBox, PASSPHRASE, restoreInto, titlesOf } from './box.ts'

const QUICK = 4

type Files = [name: string, bytes: Uint8Array][]

const text = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const listOf = (files: Files): Uint8Array =>
  text({ files: files.map(([name, bytes]) => ({ name, size: bytes.length, sha256: sum(bytes) })) })

const lockTar = (tar: AsyncIterable<Uint8Array>) => gather(seal(tar, PASSPHRASE, QUICK))

/** Locks files as they are, with a list of them unless they bring their own. */
function lock(files: Files): Promise<Buffer> {
  const isListed = files.some(([name]) => name === 'manifest.json')
  const all: Files = isListed ? files : [...files, ['manifest.json', listOf(files)]]
  async function* tarFiles(): AsyncGenerator<TarFile> {
    for (const [name, bytes] of all) {
      yield { name, size: bytes.length, mtime: 0, content: inPieces(bytes) }
    }
  }
  return lockTar(writeTar(tarFiles()))
}

async function open(backup: Uint8Array): Promise<Files> {
  const files: Files = []
  for await (const { name, content } of readTar(unseal(inPieces(backup), PASSPHRASE))) {
    files.push([name, await gather(content)])
  }
  return files
}

async function allBytes(state: string): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  for (const path of await listState(state)) {
    all.set(path, sum(await readFile(join(state, path))))
  }
  return all
}

const HEAD: [string, Uint8Array] = [
  'backup.json',
  text({ form: 1, made: 1, btlinkd: '0.1.0', host: 'x', hasSites: false }),
]
const SEED = text(`${'ab'.repeat(32)}\n`)

const EVIL_NAMES = [
  '../../etc/cron.d/evil',
  '/etc/passwd',
  'state/../../evil',
  'state/keys/../../evil.key',
  'state/keys/..key',
  'state/keys/.key',
  'state/keys/a/b.key',
  'state/keys/a.key/',
  'state//keys/a.key',
  'state/run/admin.sock',
  'state/swap.ready/plan.json',
  'state/state.db-wal',
  'state/pki/names/../1/root.pem',
  'state/pki/names/btlink/0/root.pem',
  'state/store/blobs/ab/abcd',
  'sites/blobs/../../evil',
  `sites/blobs/${'AB'.repeat(32)}`,
  `sites/torrents/${'ab'.repeat(20)}/0`,
  'backup.json/x',
  'state/keys/\\..\\evil.key',
]

describe('a broken backup', () => {
  it('changes nothing and says why, whatever is wrong with it (R20, R21)', async (t) => {
    const home = await tempFolder(t)
    const { state } = await makeBox(join(home, 'old'), 'old')
    const sound = await open(
      await backupOf(await makeBox(join(home, 'new'), 'new'), { withSites: true }),
    )
    const body = sound.filter(([name]) => name !== 'manifest.json')
    const but = (change: (name: string, bytes: Uint8Array) => Uint8Array): Files =>
      body.map(([name, bytes]) => [name, change(name, bytes)])
    const tooNew = join(home, 'new.db')
    await writeFile(tooNew, body.find(([name]) => name === 'state/state.db')?.[1] ?? '')
    const db = new Sqlite(tooNew)
    db.pragma('user_version = 99')
    db.pragma('journal_mode = DELETE')
    db.close()
    const newer = await readFile(tooNew)
    const garbledDb = (bytes: Uint8Array) => Buffer.from(bytes).fill(0x5a, 4096)
    const lying: Files = [...body, ['manifest.json', listOf(but((_, b) => Buffer.concat([b, b])))]]
    const short: Files = [...body, ['manifest.json', listOf(body.slice(0, -1))]]
    const long: Files = [...body, ['manifest.json', listOf([...body, ['state/keys/z.key', SEED]])]]

    const shelf: [string, Promise<Uint8Array> | Uint8Array, RegExp][] = [
      ...EVIL_NAMES.map((name): [string, Promise<Uint8Array>, RegExp] => [
        name,
        lock([...body, [name, SEED]]),
        /belongs in no backup|no sound name/,
      ]),
      [
        'newer',
        lock([
          ['backup.json', text({ form: 2, btlinkd: '9.0' })],
          ['what', SEED],
        ]),
        /of form 2, made by btlinkd 9\.0; this one knows form 1: update/,
      ],
      ['no form', lock([['backup.json', text({})]]), /says nothing of its form/],
      ['no head', lock(body.slice(1)), /does not begin with backup\.json/],
      ['head of no JSON', lock([['backup.json', text('{')]]), /backup\.json is not sound/],
      ['large head', lock([['backup.json', Buffer.alloc(70_000, 0x20)]]), /too large/],
      [
        'no list',
        lockTar(writeTar(each({ name: 'backup.json', bytes: HEAD[1] }))),
        /no list of its files/,
      ],
      ['lying list', lock(lying), /is not what its list says/],
      ['list without a file', lock(short), /is not what its list says/],
      ['list with a file more', lock(long), /files of its list are missing/],
      [
        'list of no JSON',
        lock([HEAD, ['manifest.json', text('[]')]]),
        /manifest\.json is not sound/,
      ],
      [
        'a file after its list',
        lock([HEAD, ['manifest.json', listOf([HEAD])], ['state/keys/a.key', SEED]]),
        /files after its list/,
      ],
      [
        'a file twice',
        lock([...body, ['state/keys/a.key', SEED], ['state/keys/a.key', SEED]]),
        /twice/,
      ],
      [
        'a key that is none',
        lock([...body, ['state/keys/a.key', text('no key')]]),
        /a\.key holds no key/,
      ],
      [
        'a huge key',
        lock([...body, ['state/keys/a.key', Buffer.alloc(5_000_000, 0x61)]]),
        /too large/,
      ],
      [
        'a certificate that is none',
        lock(but((n, b) => (n.endsWith('root.pem') ? text('none') : b))),
        /root\.pem/,
      ],
      [
        'a private key that is none',
        lock(but((n, b) => (n.endsWith('-1.key') ? text('none') : b))),
        /-1\.key/,
      ],
      [
        'a garbled database',
        lock(but((n, b) => (n.endsWith('.db') ? garbledDb(b) : b))),
        /its database is not sound/,
      ],
      [
        'a text as database',
        lock(but((n, b) => (n.endsWith('.db') ? text('none '.repeat(999)) : b))),
        /its database is not sound/,
      ],
      [
        'a database of a single byte',
        lock(but((n, b) => (n.endsWith('.db') ? Uint8Array.of(7) : b))),
        /its database is empty/,
      ],
      ['a later database', lock(but((n, b) => (n.endsWith('.db') ? newer : b))), /version 99/],
      [
        'another blob',
        lock(but((n, b) => (n.startsWith('sites/blobs') ? randomBytes(99) : b))),
        /is another one/,
      ],
      ['a zip', gzipSync(Buffer.alloc(10_000_000)), /no backup of btlinkd/],
      ['no tar', lockTar(inPieces(randomBytes(5000))), /damaged/],
      ['zeroes', lockTar(inPieces(Buffer.alloc(10_000))), /damaged/],
    ]
    const before = await allBytes(state)
    for (const [name, backup, why] of shelf) {
      await assert.rejects(
        restoreInto(state, await backup),
        (error: Error) => {
          assert.match(error.message, why, name)
          assert.match(String((error as { code?: string }).code), /^BTL_ERR_(BACKUP|STORE)_/)
          return true
        },
        name,
      )
      const after = await allBytes(state)
      // Content that a backup brought is no harm: it has no name.
      for (const path of after.keys()) if (path.startsWith('store/')) after.delete(path)
      for (const path of before.keys()) if (path.startsWith('store/')) before.delete(path)
      assert.deepEqual(after, before, name)
      assert.ok(!(await readdir(state)).some((entry) => /swap|before/.test(entry)), name)
    }
    await restoreInto(state, await lock(body))
    assert.deepEqual(await titlesOf(state), ['new'])
  })

  it('is refused with a code, whatever its files are', async (t) => {
    const home = await tempFolder(t)
    const { state } = await makeBox(join(home, 'old'), 'old')
    const body = (await open(await backupOf(await makeBox(join(home, 'new'), 'new')))).filter(
      ([name]) => name !== 'manifest.json',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.nat(body.length - 1),
        fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(text)),
        fc.oneof(fc.string({ minLength: 1, maxLength: 60 }), fc.constantFrom(...EVIL_NAMES)),
        fc.boolean(),
        async (at, bytes, name, isRenamed) => {
          const files: Files = body.map((file, index) => {
            if (index !== at) return file
            return isRenamed ? [name.replace(/[^\x21-\x7e]/g, '_'), file[1]] : [file[0], bytes]
          })
          try {
            await restoreInto(state, await lock(files))
          } catch (error) {
            assert.match(String((error as { code?: string }).code), /^BTL_ERR_(BACKUP|STORE)_/)
            assert.deepEqual(await titlesOf(state), ['old'])
            return
          }
          // What is missing or empty and still sound, such as a link domain: then it is whole.
          assert.ok((await readdir(state)).some((entry) => entry.startsWith('before-restore-')))
          throw new Error(
            `restored with ${isRenamed ? name : 'other bytes'} in the place of ${body[at]?.[0]}`,
          )
        },
      ),
      // What was restored once is another box.
      { numRuns: 60, endOnFailure: true },
    )
  })
})

interface Plain {
  name: string
  bytes: Uint8Array
}

async function* each(...files: Plain[]): AsyncGenerator<TarFile> {
  for (const { name, bytes } of files) {
    yield { name, size: bytes.length, mtime: 0, content: inPieces(bytes) }
  }
}

it('a backup and its opening hold little of it in memory', async () => {
  const piece = Buffer.alloc(1024 * 1024, 7)
  const size = 256
  async function* large(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < size; index++) yield piece
  }
  const before = process.memoryUsage().rss
  let most = 0
  let length = 0
  for await (const part of unseal(seal(large(), PASSPHRASE, QUICK), PASSPHRASE)) {
    length += part.length
    most = Math.max(most, process.memoryUsage.rss())
  }
  assert.equal(length, size * piece.length)
  assert.ok(most - before < 100 * 1024 * 1024, `${(most - before) >> 20} MB`)
})

it('every kind of file has one fate', () => {
  for (const [path, fate] of [
    ['keys/home.key', 'kept'],
    ['keys/.tmp-abcdefghijkl', 'left'],
    ['pki/names/btlink/1/root.pem', 'kept'],
    ['pki/names/btlink/.new-0123456789abcdef/root.pem', 'left'],
    ['pki/links/2/intermediate-1.key', 'kept'],
    ['pki/link-domains', 'kept'],
    ['acme/acme-v02.api.letsencrypt.org-directory-0a1b2c3d/account.key', 'kept'],
    ['acme/a/certificates/example.org.pem', 'kept'],
    ['state.db', 'kept'],
    ['state.db-wal', 'left'],
    ['state.db.snapshot', 'left'],
    ['state.db.damaged-2026-01-01T00-00-00-000Z-wal', 'left'],
    ['store/blobs/ab/abcd', 'content'],
    ['dht/items.benc', 'left'],
    ['run/admin.sock', 'left'],
    ['update/release/btlinkd_0.2.0.root.pack', 'left'],
    ['update/checked.json', 'left'],
    ['before-restore-20260101T000000Z/keys/home.key', 'left'],
  ] as const) {
    assert.equal(kindOf(path)?.fate, fate, path)
  }
  for (const path of ['users.json', 'keys/home.txt', 'keys/a/b.key', '../x', 'pki/names/x']) {
    assert.equal(kindOf(path), undefined, path)
  }
})
