import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { PYTHON } from '../support/libtorrent.ts'
import { neighbours, publish, publishedSite, SITE } from '../support/neighbours.ts'
import { familyOf, missing } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

// What the issue allows a killed role to take until it answers again.
const HEAL_MS = 3000
const SHORT = { btlink: { record_cache: '1s' } }
const skip = missing(PYTHON, '/usr/bin/curl')

describe('a box', { skip }, () => {
  it('shows the last known good page, marked stale, when nobody answers (B27, G13)', async (t) => {
    // The publisher is the only other node: nobody is left to ask once it is gone.
    const a = await createTestDaemon(t, { config: SHORT })
    const b = await createTestDaemon(t, { config: SHORT, bootstrap: [a.dhtNode] })
    const site = await publishedSite(t, a, b)
    // Whole on disk before the publisher goes.
    for (const path of ['/style.css', '/sub/', '/big.bin']) {
      assert.equal((await b.get(site.host, path)).status, 200)
    }
    await a.stop()
    await b.stop()
    // The same box, started again where no other node exists.
    const alone = await createTestDaemon(t, { state: b.state, config: SHORT })
    const page = await alone.get(site.host)
    assert.equal(page.status, 200)
    assert.equal(page.text(), SITE['index.html'])
    assert.equal(page.headers['x-btlink-stale'], '1')
    assert.deepEqual((await alone.get(site.host, '/big.bin')).body, SITE['big.bin'])
  })

  it('shows an update of the other box within its cache time (G12)', async (t) => {
    const { a, b } = await neighbours(t, { config: SHORT })
    const site = await publishedSite(t, a, b)
    await writeFile(join(site.folder, 'index.html'), '<title>second</title>')
    const again = await publish(a, site.folder, 'home')
    assert.ok(again.changed && again.seq > site.seq)
    await until(
      'the update',
      async () => {
        const page = await b.get(site.host)
        return (
          page.headers['x-btlink-seq'] === String(again.seq) &&
          page.text() === '<title>second</title>'
        )
      },
      { timeoutMs: 60_000, everyMs: 250 },
    )
    const unchanged = await publish(a, site.folder, 'home')
    assert.deepEqual(
      { changed: unchanged.changed, seq: unchanged.seq, infoHash: unchanged.infoHash },
      { changed: false, seq: again.seq, infoHash: again.infoHash },
    )
  })

  it('heals within seconds of the death of any role and forgets nothing', async (t) => {
    const { a, b } = await neighbours(t)
    const site = await publishedSite(t, a, b)
    for (const role of ['swarm', 'web']) {
      const pid = await a.rolePid(role)
      assert.ok(pid, `no process for ${role}`)
      process.kill(pid, 'SIGKILL')
      const since = Date.now()
      const status = a.cli('status')
      await until(
        `${role} to come back`,
        async () => {
          const next = await a.rolePid(role)
          if (next === undefined || next === pid) return false
          return (await a.get(site.host, '/', { maxSeconds: 2 })).status === 200
        },
        { timeoutMs: 15_000, everyMs: 25 },
      )
      assert.ok(Date.now() - since <= HEAL_MS, `${role} took ${Date.now() - since} ms`)
      // Whoever asks at the wrong moment waits, and is not told that nothing runs.
      assert.equal((await status).code, 0)
      const again = await publish(a, site.folder, 'home')
      assert.deepEqual([again.changed, again.seq], [false, site.seq])
    }
  })

  it('goes on with a download while the role that fetches it is killed', async (t) => {
    const a = await createTestDaemon(t, {
      config: { swarm: { upload_limit: '3MB', lan_exempt: false } },
    })
    const b = await createTestDaemon(t, { bootstrap: [a.dhtNode] })
    const folder = join(await tempFolder(t, 'site'), 'site')
    const film = randomBytes(9_000_000)
    await writeSite(folder, { 'film.bin': film })
    const { host } = await publish(a, folder, 'home')
    const downloading = b.get(host, '/film.bin', { maxSeconds: 40 })
    await sleep(1500)
    const pid = await b.rolePid('swarm')
    assert.ok(pid, 'no process for swarm')
    process.kill(pid, 'SIGKILL')
    const file = await downloading
    assert.equal(file.status, 200)
    assert.ok(film.equals(file.body), 'the bytes are those that were published')
    assert.notEqual(await b.rolePid('swarm'), pid)
  })

  it('keeps what it acknowledged when everything is killed at once', async (t) => {
    const box = await createTestDaemon(t)
    const folder = join(await tempFolder(t, 'site'), 'site')
    const seqs: number[] = []
    for (const text of ['one', 'two', 'three']) {
      await writeSite(folder, { 'index.html': text })
      const { seq, host } = await publish(box, folder, 'home', '--no-dht-wait')
      seqs.push(seq)
      const family = await familyOf(box.pid)
      box.kill('SIGKILL')
      for (const { pid } of family) process.kill(pid, 'SIGKILL')
      await box.restart()
      const page = await box.get(host)
      assert.deepEqual([page.status, page.text()], [200, text])
      assert.equal(page.headers['x-btlink-seq'], String(seq))
    }
    assert.deepEqual(
      seqs,
      [...new Set(seqs)].toSorted((a, b) => a - b),
    )
  })

  it('leaves no role behind when its supervisor is killed', async (t) => {
    const box = await createTestDaemon(t)
    const family = await familyOf(box.pid)
    assert.ok(family.length >= 2)
    box.kill('SIGKILL')
    await until('the roles to end', () => family.every(({ pid }) => !existsSync(`/proc/${pid}`)))
  })

  it('ends within ten seconds and leaves no process', async (t) => {
    const box = await createTestDaemon(t)
    const pid = await box.rolePid('web')
    assert.ok(pid)
    const since = Date.now()
    await box.stop()
    assert.ok(Date.now() - since < 10_000)
    assert.deepEqual(await familyOf(pid), [])
    assert.throws(() => process.kill(pid, 0))
  })
})
