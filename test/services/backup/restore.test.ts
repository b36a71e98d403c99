import assert from 'node:assert/strict'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EMPTY } from '../../../src/base/bytes.ts'
import { makeStore } from '../../engines/store/open-store.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { backupOf, makeBox, restoreInto, titlesOf } from './box.ts'

const never = new AbortController().signal

async function openBox(t: Cleanup, state: string) {
  const store = makeStore(state)
  await store.start(never)
  t.after(() => store.stop())
  return store
}

describe('a restored box', () => {
  it('never gives out a number that the box itself gave out since (R20)', async (t) => {
    const box = await makeBox(await tempFolder(t), 'home')
    const backup = await backupOf(box)
    const later = makeStore(box.state)
    await later.start(never)
    assert.equal(later.sites.reserveSeq(box.key, EMPTY, 5000), 5001)
    await later.stop()
    await restoreInto(box.state, backup)
    const store = await openBox(t, box.state)
    assert.equal(store.sites.reserveSeq(box.key, EMPTY, 0), 6002)
  })

  it('knows the numbers of its good copy where its database cannot be read (R21)', async (t) => {
    const box = await makeBox(await tempFolder(t), 'home')
    const backup = await backupOf(box)
    const later = makeStore(box.state)
    await later.start(never)
    assert.equal(later.sites.reserveSeq(box.key, EMPTY, 5000), 5001)
    await later.snapshot()
    await later.stop()
    await writeFile(join(box.state, 'state.db'), 'no database'.repeat(1000))
    await restoreInto(box.state, backup)
    const store = await openBox(t, box.state)
    assert.equal(store.sites.reserveSeq(box.key, EMPTY, 0), 6002)
  })

  it('comes to be over a database that nobody can read (R21)', async (t) => {
    const box = await makeBox(await tempFolder(t), 'home')
    const backup = await backupOf(box)
    await writeFile(join(box.state, 'state.db'), 'no database'.repeat(1000))
    await rm(join(box.state, 'state.db.snapshot'))
    await restoreInto(box.state, backup)
    assert.deepEqual(await titlesOf(box.state), ['home'])
  })

  it('has the content that was in the backup, and keeps what it had', async (t) => {
    const home = await tempFolder(t)
    const box = await makeBox(join(home, 'old'), 'old')
    const fresh = join(home, 'fresh')
    const bare = makeStore(fresh)
    await bare.start(never)
    await bare.stop()
    await restoreInto(fresh, await backupOf(box, { withSites: true }))
    const store = await openBox(t, fresh)
    assert.ok(await store.torrents.info(box.torrent))
    assert.deepEqual((await readdir(join(fresh, 'store', 'torrents', box.torrent))).sort(), [
      '0',
      'blobs',
      'info',
    ])
  })
})
