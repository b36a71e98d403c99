import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { household, withoutNetns } from '../support/household.ts'
import { libtorrentLeech, libtorrentSeed, PYTHON } from '../support/libtorrent.ts'
import { start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { makeTorrentOf, pattern } from '../support/torrents.ts'

const CHILD = fileURLToPath(new URL('../engines/torrent/lsd-child.ts', import.meta.url))

/** Prints a number for each packet of local discovery: how many infohashes it names. */
const LISTENER = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 6771))
group = socket.inet_aton('239.192.152.143') + socket.inet_aton(sys.argv[1])
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
print('listening', flush=True)
while True:
    packet = s.recv(2000)
    print(packet.lower().count(b'infohash:'), len(packet), flush=True)
`

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

  it('find a seed that sleeps among hundreds, which are said a packet at a time', async (t) => {
    const [a, b] = await household(t, 'a', 'b')
    assert.ok(a && b)
    const listener = start(t, PYTHON, ['-c', LISTENER, b.address], { netns: b.netns })
    await listener.line((line) => line === 'listening')
    const seeder = start(t, process.execPath, [CHILD, 'many', await tempFolder(t)], {
      netns: a.netns,
    })
    await seeder.line((line) => line.startsWith('seeding'), 20_000)
    await sleep(5000)
    const packets = listener
      .output()
      .split('\n')
      .filter((line) => /^\d+ \d+$/.test(line))
      .map((line) => line.split(' ').map(Number))
    // The first at once, then one every two seconds.
    assert.ok(packets.length >= 2 && packets.length <= 5, `${packets.length}`)
    for (const [hashes = 0, bytes = 0] of packets) assert.ok(hashes <= 20 && bytes <= 1400)

    const folder = await tempFolder(t)
    const made = makeTorrentOf(pattern(300_000), { name: 'local' })
    await writeFile(join(folder, 'local.torrent'), made.torrentFile)
    const leecher = await libtorrentLeech(t, join(folder, 'local.torrent'), folder, {
      netns: b.netns,
      host: b.address,
      more: ['--lsd'],
    })
    await leecher.event('finished')
  })
})
