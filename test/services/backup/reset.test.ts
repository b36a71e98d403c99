/** What a box forgets of updates: what is fetched again, and nothing that root knows. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createContent, createDatabaseFiles, storePaths } from '../../../src/engines/store/index.ts'
import { resetFactory, resetSoft } from '../../../src/services/backup/index.ts'
import { storageConfig } from '../../engines/store/open-store.ts'
import { tempFolder } from '../../support/temp.ts'
import { makeBox } from './box.ts'

const RELEASE = ['SHA256SUMS', 'release.json', 'btlinkd_0.2.0.efi.part']

/** A box whose next version was fetched, and is to be installed. */
async function fetchedBox(t: TestContext) {
  const home = await tempFolder(t)
  const { state } = await makeBox(join(home, 'state'), 'home')
  await mkdir(join(state, 'update', 'release'), { recursive: true })
  for (const name of RELEASE) await writeFile(join(state, 'update', 'release', name), '')
  for (const name of ['checked.json', 'request.json'])
    await writeFile(join(state, 'update', name), '{}')
  const notes = join(home, 'btlinkd-update', 'notes.json')
  await mkdir(join(notes, '..'))
  await writeFile(notes, 'versions that failed')
  const places = { ...storageConfig, stateDir: state }
  const box = { stateDir: state, database: join(state, 'state.db'), layout: storePaths(places) }
  return { state, notes, box, content: createContent(places) }
}

const files = async (folder: string) => {
  const found = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  return found.filter((entry) => entry.isFile()).map(({ name }) => name)
}

describe('a reset, of a box with an update', () => {
  it('--soft takes the release, and what asks for its installation, with other caches (R20)', async (t) => {
    const { state, notes, box, content } = await fetchedBox(t)
    const deps = { databases: createDatabaseFiles(), torrents: content.torrents }
    const { files: forgotten } = await resetSoft(deps, box, t.signal)
    assert.deepEqual(await files(join(state, 'update')), [])
    assert.equal(forgotten, RELEASE.length + 2)
    assert.equal(await readFile(notes, 'utf8'), 'versions that failed')
    assert.ok(existsSync(join(state, 'keys', 'home.key')))
  })

  it('--factory leaves none of it, and calls none of it somebody else’s (R20)', async (t) => {
    const { state, notes, box } = await fetchedBox(t)
    assert.deepEqual(await resetFactory(box), { left: [] })
    assert.equal(existsSync(join(state, 'update')), false)
    assert.equal(await readFile(notes, 'utf8'), 'versions that failed')
  })
})
