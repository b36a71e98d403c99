import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { household, withoutNetns } from '../support/household.ts'
import { libtorrentSeed } from '../support/libtorrent.ts'
import { start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { makeTorrentOf, pattern } from '../support/torrents.ts'

const CHILD = fileURLToPath(new URL('../engines/torrent/lsd-child.ts', import.meta.url))

describe('two boxes of one household', { skip: withoutNetns() }, () => {
  it('find each other by multicast alone', async (t) => {
    const [a, b] = await household(t, 'a', 'b')
    assert.ok(a && b)
    const run = async (role: string, netns: string) =>
      start(t, process.execPath, [CHILD, role, await tempFolder(t)], { netns })
    const seeder = await run('seed', a.netns)
    await seeder.line((line) => line.startsWith('seeding'))
    const leecher = await run('leech', b.netns)
    const line = await leecher.line((text) => text.startsWith('got it'), 20_000)
    assert.match(line, /^got it from 10\.77\.0\.1:\d+ by (lsd|incoming)$/)
  })

  it('one of them a libtorrent client, find each other too', async (t) => {
    const [a, b] = await household(t, 'a', 'b')
    assert.ok(a && b)
    const folder = await tempFolder(t)
    const made = makeTorrentOf(pattern(300_000), { name: 'local' })
    await writeFile(join(folder, 'local'), pattern(300_000))
    await writeFile(join(folder, 'local.torrent'), made.torrentFile)
    await libtorrentSeed(t, join(folder, 'local.torrent'), folder, {
      netns: a.netns,
      host: a.address,
      more: ['--lsd'],
    })
    const child = [CHILD, 'leech', await tempFolder(t)]
    const leecher = start(t, process.execPath, child, { netns: b.netns })
    const line = await leecher.line((text) => text.startsWith('got it'), 20_000)
    assert.match(line, /^got it from 10\.77\.0\.1:\d+ by (lsd|incoming)$/)
  })
})
