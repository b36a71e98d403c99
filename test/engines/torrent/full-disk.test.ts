import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { codeOf } from '../../../src/base/errors.ts'
import { withoutNetns } from '../../support/household.ts'
import { output } from '../../support/processes.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { layDown, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { loopback, startEngine } from './support.ts'

const signal = () => AbortSignal.timeout(12_000)

// Mounting needs the same rights as namespaces do.
describe('a full disk', { skip: withoutNetns() }, () => {
  it('is told to who waits, and forgotten when there is room again', async (t) => {
    const content = pattern(1_500_000)
    const made = makeTorrentOf(content)
    const seeder = await startEngine(t)
    await layDown(seeder.layout.torrents, made)
    await seeder.engine.add(made.info, { verified: true })
    await seeder.engine.seed(made.infoHash)
    const state = await tempFolder(t)
    await output('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', state])
    finallyDo(t, async () => void (await output('/usr/bin/umount', ['-l', state])))
    const ballast = join(state, 'ballast')
    await writeFile(ballast, Buffer.alloc(1_200_000))
    const box = await startEngine(t, {}, { state })
    await box.engine.add(made.info, { hints: loopback(seeder.port) })
    const range = { start: 0, end: content.length }
    await assert.rejects(
      box.engine.want(made.infoHash, 0, range, 'background', signal()),
      (error) => codeOf(error) === 'BTL_ERR_TORRENT_DISK',
    )
    await rm(ballast)
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
    assert.equal((await box.engine.status(made.infoHash))?.complete, true)
  })
})
