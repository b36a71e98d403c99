import assert from 'node:assert/strict'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
  symlink,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { withoutNetns } from '../../support/household.ts'
import { output, start } from '../../support/processes.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { createPatient, smallDisk, writeTree } from './patient.ts'

const DAY_MS = 86_400_000

describe('the disk', { skip: withoutNetns() }, () => {
  it('is told to be read-only, and to be well again', async (t) => {
    const state = await smallDisk(t, 'size=8m')
    const { look } = await createPatient(t, { state })
    assert.equal((await look('state-writable')).state, 'ok')
    await output('/usr/bin/mount', ['-o', 'remount,ro', state])
    const found = await look('state-writable')
    assert.equal(found.state, 'failed')
    assert.match(found.line, /read-only/)
    await output('/usr/bin/mount', ['-o', 'remount,rw', state])
    assert.equal((await look('state-writable')).state, 'ok')
    assert.deepEqual(await readdir(state), [])
  })

  it('is told to be full: of bytes, and of files', async (t) => {
    const state = await smallDisk(t, 'size=4m,nr_inodes=40')
    const { look } = await createPatient(t, { state })
    assert.equal((await look('disk-space')).state, 'ok')
    await writeFile(join(state, 'a'), Buffer.alloc(3.5 * 1024 * 1024))
    assert.equal((await look('disk-space')).state, 'warning')
    await writeFile(join(state, 'b'), Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined)
    assert.equal((await look('disk-space')).state, 'failed')
    assert.match((await look('state-writable')).line, /full/)
    await rm(join(state, 'b'))
    assert.equal((await look('disk-inodes')).state, 'ok')
    for (let i = 0; i < 40; i++) await writeFile(join(state, `n${i}`), '').catch(() => undefined)
    assert.equal((await look('disk-inodes')).state, 'failed')
  })

  it('is told to be memory', async (t) => {
    const state = await smallDisk(t, 'size=1m')
    assert.equal((await (await createPatient(t, { state })).look('state-alone')).state, 'warning')
  })
})

describe('what a crash leaves', () => {
  it('is found when it is a day old, and removed; nothing else is', async (t) => {
    const { state, look, mend } = await createPatient(t)
    const old = [
      'store/blobs/ab/.put-abcdefghijkl',
      'pki/names/.new-0123456789abcdef/root.pem',
      'run/web/listeners.json.77.tmp',
    ]
    const kept = [
      'store/blobs/ab/.put-ABCDEFGHIJKL',
      'keys/.tmp-is-a-word',
      'site/index.tmp',
      '.put-short',
    ]
    await writeTree(state, Object.fromEntries([...old, ...kept].map((path) => [path, 'half'])))
    const before = new Date(Date.now() - 2 * DAY_MS)
    for (const path of [...old, 'pki/names/.new-0123456789abcdef', ...kept.slice(1)]) {
      await utimes(join(state, path), before, before)
    }
    const found = await look('leftovers')
    assert.equal(found.state, 'warning')
    assert.match(found.line, /^3 unfinished/)
    assert.match(await mend('leftovers'), /^removed 3 /)
    assert.equal((await look('leftovers')).state, 'ok')
    for (const path of kept) assert.equal(await readFile(join(state, path), 'utf8'), 'half')
    assert.match(await mend('leftovers'), /^removed 0 /)
  })

  it('is a dead socket, which goes while a living one stays', async (t) => {
    const { state, look, mend } = await createPatient(t)
    await mkdir(join(state, 'run', 'web'), { recursive: true })
    const living = createServer().listen(join(state, 'run', 'admin.sock'))
    finallyDo(t, () => void living.close())
    assert.equal((await look('sockets')).state, 'ok')
    const dead = join(state, 'run', 'web', 'lock')
    const killed = start(t, process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(dead)})`,
    ])
    await until('the socket', async () => (await lstat(dead)).isSocket())
    killed.kill('SIGKILL')
    await killed.exited
    assert.equal((await look('sockets')).state, 'warning')
    assert.equal(await mend('sockets'), 'removed 1 dead sockets')
    assert.equal((await look('sockets')).state, 'ok')
    assert.ok((await lstat(join(state, 'run', 'admin.sock'))).isSocket())
  })
})

describe('keys and owners', () => {
  it('of a folder of root are left to whom they belong, and links are not followed', {
    skip: withoutNetns(),
  }, async (t) => {
    const { state, look, mend } = await createPatient(t)
    await writeTree(state, { 'letters/of-anna.txt': 'dear', open: 'for all' })
    await chown(join(state, 'letters/of-anna.txt'), 1234, 1234)
    await chmod(join(state, 'open'), 0o644)
    await mkdir(join(state, 'keys'), { mode: 0o700 })
    await symlink(join(state, 'open'), join(state, 'keys', 'home.key'))
    assert.equal((await look('secrets-closed')).state, 'ok')
    assert.equal(await mend('state-modes'), 'gave 0 files to their user, closed 0 to others')
    assert.equal((await stat(join(state, 'letters/of-anna.txt'))).uid, 1234)
    assert.equal((await stat(join(state, 'open'))).mode & 0o777, 0o644)
  })

  it('are given back to the user of the daemon, and closed to others', {
    skip: withoutNetns(),
  }, async (t) => {
    const { state, look, mend } = await createPatient(t)
    await writeTree(state, {
      'keys/site.key': `${'ab'.repeat(32)}\n`,
      'pki/names/1/intermediate-1.key': 'key',
      'pki/names/1/root.pem': 'pem',
      'state.db': '',
    })
    await output('/usr/bin/chown', ['-R', '1234:1234', state])
    await chmod(join(state, 'keys'), 0o700)
    for (const key of ['keys/site.key', 'pki/names/1/intermediate-1.key'])
      await chmod(join(state, key), 0o600)
    assert.equal((await look('state-owner')).state, 'ok')
    assert.equal((await look('secrets-closed')).state, 'ok')
    await chown(join(state, 'state.db'), 0, 0)
    await chmod(join(state, 'keys/site.key'), 0o644)
    await chmod(join(state, 'keys'), 0o755)
    assert.equal((await look('state-owner')).state, 'failed')
    const open = await look('secrets-closed')
    assert.equal(open.state, 'failed')
    assert.ok(!open.line.includes('abab'), 'the key itself is told')
    assert.equal(await mend('state-modes'), 'gave 1 files to their user, closed 2 to others')
    assert.equal((await look('state-owner')).state, 'ok')
    assert.equal((await look('secrets-closed')).state, 'ok')
    assert.equal((await stat(join(state, 'state.db'))).uid, 1234)
    assert.equal((await stat(join(state, 'pki/names/1/root.pem'))).mode & 0o777, 0o644)
    assert.equal(await mend('state-modes'), 'gave 0 files to their user, closed 0 to others')
  })

  it('are told when a publishing key is cut short', async (t) => {
    const { state, look } = await createPatient(t)
    await writeTree(state, { 'keys/good.key': `${'ab'.repeat(32)}\n` })
    assert.equal((await look('keys')).state, 'ok')
    await writeFile(join(state, 'keys/bad.key'), 'ab'.repeat(20))
    const found = await look('keys')
    assert.equal(found.state, 'failed')
    assert.match(found.line, /bad$/)
  })

  it('want a backup that is younger than they are', async (t) => {
    let now = Date.now()
    const { state, look } = await createPatient(t, { now: () => now })
    assert.equal((await look('backup')).state, 'ok')
    await writeTree(state, { 'keys/site.key': `${'ab'.repeat(32)}\n` })
    assert.match((await look('backup')).line, /no backup was ever made/)
    await writeTree(state, { 'backup-made': '' })
    assert.equal((await look('backup')).state, 'ok')
    const later = new Date(Date.now() + 5000)
    await writeTree(state, { 'keys/new.key': `${'cd'.repeat(32)}\n` })
    await utimes(join(state, 'keys/new.key'), later, later)
    assert.match((await look('backup')).line, /key new is newer/)
    now += 40 * DAY_MS
    assert.match((await look('backup')).line, /40 days old|39 days old/)
  })
})

describe('the configuration', () => {
  it('that is broken gives way to the last valid one, and is kept (R21)', async (t) => {
    const folder = await tempFolder(t, 'btl-config')
    const configFile = join(folder, 'btlinkd.yaml')
    await writeFile(configFile, 'mode: [')
    const { state, look, mend } = await createPatient(t, {
      facts: { configFile, mistakes: ['btlinkd.yaml:1: is broken'] },
    })
    assert.match((await look('config')).line, /is broken/)
    await assert.rejects(mend('config'), { code: 'BTL_ERR_DOCTOR_CANNOT_FIX' })
    assert.equal(await readFile(configFile, 'utf8'), 'mode: [')
    await writeFile(join(state, 'config.good.yaml'), 'mode: unified\n')
    assert.match(await mend('config'), /is the last valid one again/)
    assert.equal(await readFile(configFile, 'utf8'), 'mode: unified\n')
    const kept =
      (await readdir(folder)).find((name) => name.startsWith('btlinkd.yaml.broken-')) ?? ''
    assert.equal(await readFile(join(folder, kept), 'utf8'), 'mode: [')
  })
})
