import assert from 'node:assert/strict'
import { mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { kindOf, listState } from '../../src/services/backup/index.ts'
import { createTestDaemon, type TestDaemon, writeSite } from '../support/daemon.ts'
import { publish } from '../support/neighbours.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const PASSPHRASE = 'correct horse battery staple'
const SHORT = { btlink: { record_cache: '1s' } }

const rootOf = async (box: TestDaemon): Promise<string> =>
  ((await box.json('ca', 'show'))['names'] as { sha256: string }).sha256

const shows = (box: TestDaemon, host: string, text: string) =>
  until(`${host} to say ${text}`, async () => (await box.get(host)).text() === text, {
    timeoutMs: 30_000,
    everyMs: 200,
  })

describe('a backup of a box that runs', () => {
  it('brings a box back after a factory reset: same fingerprint, same names, with numbers going up (R20)', async (t) => {
    const away = await tempFolder(t, 'away')
    const [file, secret, folder] = ['b', 'secret', 'site'].map((name) => join(away, name))
    assert.ok(file !== undefined && secret !== undefined && folder !== undefined)
    await writeFile(secret, PASSPHRASE)
    await writeSite(folder, { 'index.html': 'one', 'large.bin': Buffer.alloc(300_000, 7) })
    const box = await createTestDaemon(t, { config: SHORT })
    const other = await createTestDaemon(t, { config: SHORT, bootstrap: [box.dhtNode] })
    const site = await publish(box, folder, 'home')
    await shows(other, site.host, 'one')
    const root = await rootOf(box)
    const stranger = await box.api('/api/backup/snapshot', { method: 'POST' })
    assert.equal(stranger.status, 403)

    const made = await box.json(
      'backup',
      'create',
      file,
      '--include-sites',
      '--passphrase-file',
      secret,
    )
    assert.deepEqual([made['strangers'], made['partial']], [[], []])
    // Given out after the backup was made: the box that comes back cannot know it.
    await writeFile(join(folder, 'index.html'), 'two')
    const second = await publish(box, folder, 'home')
    const unknown = (await listState(box.state)).filter((path) => !kindOf(path))
    assert.deepEqual(unknown, [], 'files that src/services/backup/inventory.ts does not know')
    const refused = await box.cli('backup', 'restore', file, '--passphrase-file', secret)
    assert.match(refused.stderr, /a btlinkd runs on .*: stop it first/)
    assert.equal(refused.code, 1)

    await box.stop()
    const reset = await box.cli('reset', '--factory', '--yes')
    assert.equal(reset.code, 0, reset.stderr)
    assert.deepEqual(await readdir(box.state), ['run'])
    const restored = await box.json('backup', 'restore', file, '--passphrase-file', secret)
    assert.equal((restored['roots'] as { sha256: string }[])[0]?.sha256, root)

    // Nobody else has its content, or its newest number.
    const back = await createTestDaemon(t, { state: box.state, config: SHORT })
    assert.equal(await rootOf(back), root)
    await shows(back, site.host, 'one')
    assert.equal((await back.get(site.host, '/large.bin')).body.length, 300_000)
    await writeFile(join(folder, 'index.html'), 'three')
    const third = await publish(back, folder, 'home')
    assert.equal(third.host, site.host)
    assert.ok(third.seq > second.seq, `${third.seq} after ${second.seq}`)

    await other.stop()
    const reader = await createTestDaemon(t, {
      state: other.state,
      config: SHORT,
      bootstrap: [back.dhtNode],
    })
    await shows(reader, site.host, 'three')
  })

  it('starts on a garbled database with its sites, says so, and forgets no key (R21)', async (t) => {
    const away = await tempFolder(t, 'away')
    await writeSite(away, { 'index.html': 'still here' })
    const config = { ...SHORT, storage: { snapshot_interval: '1s' } }
    const box = await createTestDaemon(t, { config })
    const site = await publish(box, away, 'home')
    const phrase = join(box.state, '..', 'phrase')
    await writeFile(phrase, PASSPHRASE)
    // A backup has the daemon make the copy that it makes by itself soon after.
    const locked = join(box.state, '..', 'b')
    const made = await box.cli('backup', 'create', locked, '--passphrase-file', phrase)
    assert.equal(made.code, 0, made.stderr)
    const root = await rootOf(box)
    box.kill('SIGKILL')
    await until('the roles to be gone', async () => (await box.rolePid('web')) === undefined)
    await box.stop()
    await writeFile(join(box.state, 'state.db'), 'no database '.repeat(1000))
    await rm(join(box.state, 'state.db-wal'), { force: true })
    await truncate(join(box.state, 'keys', 'box.key'), 20)
    // And a restore that a power cut interrupted after it was decided.
    const ready = join(box.state, 'swap.ready')
    const kept = 'configuration-from-backup.yaml'
    await mkdir(join(ready, 'new'), { recursive: true })
    await writeFile(join(ready, 'new', kept), 'log: {}\n')
    const place = [{ from: join(ready, 'new', kept), to: join(box.state, kept) }]
    await writeFile(join(ready, 'plan.json'), JSON.stringify({ away: [], place }))
    const back = await createTestDaemon(t, { state: box.state, config })
    const names = await readdir(box.state)
    assert.ok(names.includes(kept) && !names.includes('swap.ready'), names.join(' '))
    assert.match(back.output(), /put back from its last good copy/)
    assert.match(back.output(), /box\.key does not hold 64 hex digits: restore it from a backup/)
    assert.equal(await rootOf(back), root)
    await shows(back, site.host, 'still here')
    const health = JSON.parse((await back.api('/api/health')).text()) as {
      components: { store: { status: string; detail: string } }
    }
    assert.equal(health.components.store.status, 'degraded')
    assert.match(health.components.store.detail, /look at your sites, then remove/)
  })
})
