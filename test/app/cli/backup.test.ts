import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, lstat, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { EMPTY, fromHex, toHex } from '../../../src/base/bytes.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import { createDatabaseFiles } from '../../../src/engines/store/index.ts'
import { makeStore } from '../../engines/store/open-store.ts'
import { makeBox } from '../../services/backup/box.ts'
import { createRunFolder } from '../../../src/app/run-folder.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { backedUpBox, PASSPHRASE } from './backed-up-box.ts'
import { stateAtRest } from './state-at-rest.ts'

const NOBODY = 65_534
const never = new AbortController().signal

const rootIn = async (state: string): Promise<string> => {
  const pem = await readFile(join(state, 'pki', 'names', 'btlink', '1', 'root.pem'))
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
}

async function box(t: Cleanup) {
  const made = await backedUpBox(t)
  return { ...made, sha256: await rootIn(made.state) }
}

const seedOf = (state: string) => readFile(join(state, 'keys', 'home.key'), 'utf8')

/** Every path below the state with what it holds, but for what each start writes. */
async function snapshotOf(state: string): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  for (const entry of await readdir(state, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !path.includes('/run/')) all.set(path, toHex(await readFile(path)))
  }
  return all
}

describe('btlinkd backup, without a daemon', () => {
  it('puts keys, roots, numbers and sites on another box, which then has the same fingerprint (R20)', async (t) => {
    const one = await box(t)
    const made = await one.backup('create', one.file, '--json')
    assert.equal(made.code, 0, made.stderr)
    assert.equal((await stat(one.file)).mode & 0o777, 0o600)
    assert.deepEqual((JSON.parse(made.stdout) as { strangers: string[] }).strangers, [])

    const verified = await one.backup('verify', one.file, '--json')
    assert.equal(verified.code, 0, verified.stderr)
    const view = JSON.parse(verified.stdout) as Record<string, unknown>
    assert.deepEqual(view['keys'], ['home'])
    assert.equal(view['visited'], 1)
    assert.equal((view['roots'] as { sha256: string }[])[0]?.sha256, one.sha256)

    const two = await stateAtRest(t)
    await makeBox(two.state, 'other', 'btlink')
    assert.notEqual(await rootIn(two.state), one.sha256)
    const restored = await two.cli([
      'backup',
      'restore',
      one.file,
      '--passphrase-file',
      one.secret,
      '--yes',
    ])
    assert.equal(restored.code, 0, restored.stderr)
    assert.match(restored.stdout, /The former state is in .*before-restore-\d{8}T\d{6}Z/)
    assert.equal(await rootIn(two.state), one.sha256)
    assert.equal(await seedOf(two.state), await seedOf(one.state))
    assert.equal((await stat(join(two.state, 'keys', 'home.key'))).mode & 0o777, 0o600)
    const store = makeStore(two.state)
    await store.start(never)
    t.after(() => store.stop())
    assert.equal(store.sites.site(one.key, EMPTY)?.title, 'home')
    // What the first box gave out since the backup was made is unknown here.
    assert.equal(store.sites.reserveSeq(one.key, EMPTY, 0), 1008)
    assert.deepEqual(
      (await readdir(two.state)).filter(
        (name) => name.startsWith('swap') || name.includes('restoring'),
      ),
      [],
    )
  })

  it('asks before a key of this box is put aside, and keeps it', async (t) => {
    const one = await box(t)
    assert.equal((await one.backup('create', one.file)).code, 0)
    await writeFile(join(one.state, 'keys', 'later.key'), `${'ab'.repeat(32)}\n`)
    const before = await snapshotOf(one.state)
    const refused = await one.backup('restore', one.file)
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /not in the backup .* later\. Say --yes/)
    assert.deepEqual(await snapshotOf(one.state), before)
    const done = await one.backup('restore', one.file, '--yes', '--json')
    assert.equal(done.code, 0, done.stderr)
    const { former } = JSON.parse(done.stdout) as { former: string }
    assert.deepEqual((await readdir(join(former, 'keys'))).sort(), ['home.key', 'later.key'])
    assert.deepEqual(await readdir(join(one.state, 'keys')), ['home.key'])
  })

  it('refuses what is broken, each with a line, and changes nothing (R20)', async (t) => {
    const one = await box(t)
    assert.equal((await one.backup('create', one.file)).code, 0)
    const whole = await readFile(one.file)
    const before = await snapshotOf(one.state)
    const broken: [string, string, Uint8Array, RegExp][] = [
      ['restore', 'cut', whole.subarray(0, whole.length - 100), /damaged \(it ends in the middle/],
      ['restore', 'longer', Buffer.concat([whole, Buffer.from('more')]), /damaged/],
      [
        'verify',
        'text',
        Buffer.from('a text that is long enough to look at'),
        /no backup of btlinkd/,
      ],
    ]
    for (const [part, name, bytes, why] of broken) {
      const file = join(one.away, name)
      await writeFile(file, bytes)
      const { code, stderr } = await one.backup(part, file)
      assert.equal(code, 1, name)
      assert.match(stderr, why, name)
      assert.equal(stderr.trim().split('\n').length, 1, stderr)
    }
    await writeFile(one.secret, 'another horse battery staple\n')
    const wrong = await one.backup('restore', one.file)
    assert.match(wrong.stderr, /the passphrase does not open this backup/)
    const absent = await one.backup('restore', join(one.away, 'absent'))
    assert.match(absent.stderr, /cannot read .*absent: ENOENT/)
    assert.deepEqual(await snapshotOf(one.state), before)
  })

  it('takes no weak passphrase, none as an argument, and writes over nothing else', async (t) => {
    const one = await box(t)
    assert.equal((await one.cli(['backup', 'create', one.file], 'short\n')).code, 1)
    assert.equal(
      (await one.cli(['backup', 'create', one.file, '--passphrase', PASSPHRASE])).code,
      2,
    )
    assert.ok(!existsSync(one.file))
    const other = join(one.away, 'letter.txt')
    await writeFile(other, 'dear reader')
    const refused = await one.backup('create', other)
    assert.match(refused.stderr, /it is there and is no backup/)
    assert.equal(await readFile(other, 'utf8'), 'dear reader')
    assert.deepEqual((await readdir(one.away)).sort(), ['letter.txt', 'secret'])
  })

  it('refuses to touch a box that runs', async (t) => {
    const one = await box(t)
    assert.equal((await one.backup('create', one.file)).code, 0)
    const lock = createRunFolder(one.state, 'web')
    await lock.start(never)
    finallyDo(t, () => lock.stop())
    for (const args of [
      ['backup', 'restore', one.file, '--passphrase-file', one.secret],
      ['reset', '--soft', '--yes'],
      ['reset', '--factory', '--yes'],
    ]) {
      const { code, stderr } = await one.cli(args)
      assert.equal(code, 1)
      assert.match(stderr, /a btlinkd runs on .*: stop it first, or say --stop/)
    }
  })

  it('keeps the configuration, and lays one aside that names other folders', async (t) => {
    const one = await box(t)
    const config = join(one.state, 'btlinkd.yaml')
    await writeFile(config, '# mine\nlog:\n  level: warn\n')
    assert.equal((await one.backup('create', one.file)).code, 0)
    await writeFile(config, 'log:\n  level: error\n')
    const done = await one.backup('restore', one.file, '--json')
    assert.equal(done.code, 0, done.stderr)
    assert.match(await readFile(config, 'utf8'), /# mine/)
    const { former } = JSON.parse(done.stdout) as { former: string }
    assert.match(await readFile(join(former, 'btlinkd.yaml'), 'utf8'), /level: error/)

    await writeFile(config, 'storage:\n  blob_storage: /nowhere/blobs\n')
    const other = await one.backup('restore', one.file)
    assert.equal(other.code, 0, other.stderr)
    assert.match(other.stdout, /not in force \(it names other folders/)
    assert.match(await readFile(config, 'utf8'), /nowhere/)
    assert.match(
      await readFile(join(one.state, 'configuration-from-backup.yaml'), 'utf8'),
      /# mine/,
    )
  })
})

describe('btlinkd backup, by root', { skip: getuid?.() !== 0 }, () => {
  it('leaves everything to the user that owns the state', async (t) => {
    const one = await box(t)
    assert.equal((await one.backup('create', one.file)).code, 0)
    const two = await stateAtRest(t)
    await chown(two.state, NOBODY, NOBODY)
    const restore = ['backup', 'restore', one.file, '--passphrase-file', one.secret, '--yes']
    const done = await two.cli(restore)
    assert.equal(done.code, 0, done.stderr)
    assert.equal(
      (await two.cli(['backup', 'create', `${one.file}-2`, ...restore.slice(3, 5)])).code,
      0,
    )
    for (const path of await readdir(two.state, { recursive: true })) {
      const { uid, gid } = await lstat(join(two.state, path))
      assert.deepEqual([uid, gid], [NOBODY, NOBODY], path)
    }
    const reset = await two.cli(['reset', '--factory', '--yes'])
    assert.equal(reset.code, 0, reset.stderr)
    assert.deepEqual(await readdir(two.state), ['run'])
  })
})

it('a title in a backup does not steer the terminal of whoever verifies it', async (t) => {
  const one = await box(t)
  const store = makeStore(one.state)
  await store.start(never)
  const site = { publicKey: one.key, salt: EMPTY, keyName: 'home', watched: false, pinned: false }
  store.sites.saveSite({ ...site, title: 'home\u001b]0;evil\u0007\u009b2J' })
  await store.stop()
  assert.equal((await one.backup('create', one.file)).code, 0)
  const { stdout } = await one.backup('verify', one.file)
  assert.match(stdout, /home\?\]0;evil\?\?2J/)
})

it('btlinkd backup resume carries through what a kill cut short', async (t) => {
  const { state, json } = await stateAtRest(t)
  await mkdir(join(state, 'keys'))
  await writeFile(join(state, 'keys', 'old.key'), `${'cd'.repeat(32)}\n`)
  const ready = join(state, 'swap.ready')
  await mkdir(join(ready, 'new', 'keys'), { recursive: true })
  await writeFile(join(ready, 'new', 'keys', 'new.key'), `${'ab'.repeat(32)}\n`)
  const former = join(state, 'before-restore-20260101T000000Z')
  const plan = {
    away: [{ from: join(state, 'keys'), to: join(former, 'keys') }],
    place: [{ from: join(ready, 'new', 'keys'), to: join(state, 'keys') }],
  }
  await writeFile(join(ready, 'plan.json'), JSON.stringify(plan))
  assert.deepEqual(await json(['backup', 'resume']), { done: true })
  assert.deepEqual(await readdir(join(state, 'keys')), ['new.key'])
  assert.deepEqual(await readdir(join(former, 'keys')), ['old.key'])
  assert.deepEqual(await json(['backup', 'resume']), { done: false })
})

describe('btlinkd reset, without a daemon', () => {
  it('--soft forgets visits and caches, and keeps keys, roots and own sites (R20)', async (t) => {
    const one = await box(t)
    const torrent = infoHash('5a'.repeat(20))
    await mkdir(join(one.state, 'store', 'torrents', torrent), { recursive: true })
    await mkdir(join(one.state, 'dht'))
    await writeFile(join(one.state, 'dht', 'items.benc'), fromHex('6465'))
    await writeFile(join(one.state, 'dht', 'nodes.benc'), fromHex('6465'))
    assert.equal((await one.cli(['reset', '--soft'])).code, 2)
    const done = await one.json(['reset', '--soft', '--yes'])
    assert.deepEqual(done, { sites: 1, torrents: 1, files: 1 })
    assert.deepEqual(await readdir(join(one.state, 'store', 'torrents')), [one.torrent])
    assert.deepEqual(await readdir(join(one.state, 'dht')), ['nodes.benc'])
    assert.equal(await rootIn(one.state), one.sha256)
    const facts = await createDatabaseFiles().inspect(join(one.state, 'state.db'))
    assert.deepEqual([facts.own[0]?.title, facts.visited], ['home', 0])
    const bytes = await readFile(join(one.state, 'state.db'))
    assert.equal(bytes.indexOf(fromHex('77'.repeat(32))), -1, 'a visited key is still in the file')
  })

  it('--factory names the sites that would be lost, wants a word, and leaves what is not ours (R20)', async (t) => {
    const one = await box(t)
    await writeFile(join(one.state, 'letter.txt'), 'mine')
    const refused = await one.cli(['reset', '--factory'])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /unless a backup has their keys:/)
    assert.match(refused.stderr, /-pk\.btlink \(key home, home\)/)
    const done = await one.json(['reset', '--factory', '--yes'])
    assert.deepEqual(done['left'], ['letter.txt'])
    assert.deepEqual((await readdir(one.state)).sort(), ['letter.txt', 'run'])
    assert.equal((await one.cli(['reset'])).code, 2)
    assert.equal((await one.cli(['reset', '--soft', '--factory'])).code, 2)
  })
})

it('a damaged key file is named with what to do, and no other takes its name (R21)', async (t) => {
  const one = await box(t)
  const path = join(one.state, 'keys', 'home.key')
  await truncate(path, 20)
  const store = makeStore(one.state)
  await store.start(never)
  t.after(() => store.stop())
  await assert.rejects(
    store.keys.ensure('home'),
    /home\.key does not hold 64 hex digits: restore it/,
  )
  await assert.rejects(store.keys.create('home'), { code: 'BTL_ERR_STORE_KEY_EXISTS' })
  assert.equal((await stat(path)).size, 20)
})
