import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { withoutNetns } from '../../support/household.ts'
import { PYTHON } from '../../support/libtorrent.ts'
import { missing, start } from '../../support/processes.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { type PagePeer, pagePeer, pageServer } from './page-peer.ts'
import { type RemoteRoom, remoteRoom } from './remote-room.ts'
import { roomAndTab } from './room-and-tab.ts'

/** What tcpdump shows on the box's cable besides the house itself. */
const FOR_THE_WORLD =
  'not (arp or icmp6 or igmp or dst net 10.77.0.0/24 or dst host 224.0.0.251 or dst net ff02::/16)'

const skip = missing(PYTHON, CHROMIUM, '/usr/bin/tcpdump') || withoutNetns()

describe('Chromium in the same household', { skip }, () => {
  const cleanups: (() => void | Promise<void>)[] = []
  const t: Cleanup = { after: (fn) => void cleanups.push(fn) }
  let room: RemoteRoom
  let leaving: () => string
  let newPage: () => Promise<PagePeer>

  before(async () => {
    const { box, tab } = await roomAndTab(t)
    const dump = start(t, '/usr/bin/tcpdump', ['-lni', 'eth0', FOR_THE_WORLD], { netns: box.netns })
    await until('it listens', () => dump.output().includes('listening on'))
    leaving = () =>
      dump
        .output()
        .replace(/^.*listening on.*$|^tcpdump: .*$/gm, '')
        .trim()
    room = await remoteRoom(t, 'echo', box.netns)
    const url = await pageServer(t, tab.netns)
    const chromium = await browser(t, { netns: tab.netns })
    newPage = () => pagePeer(chromium, url)
  })
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })

  it('hides its address behind a name, and is answered all the same', async () => {
    const page = await newPage()
    const sdp = await page.call<string>('offer')
    assert.match(sdp, /candidate:\S+ 1 udp \d+ [0-9a-f-]{36}\.local \d+ typ host/)
    await page.call('accept', await room.answer(sdp))
    assert.equal(await page.call('echo', 3_000_000), true)
    assert.equal((await room.opened()).host, '10.77.0.2')
    await page.call('close')
  })

  it('says its address to whoever asks for the name', async () => {
    const page = await newPage()
    const sdp = await page.call<string>('offer')
    const name = /[0-9a-f-]{36}\.local/.exec(sdp)?.[0]
    assert.ok(name)
    assert.equal(await room.resolve(name), '10.77.0.2')
    const missing = `${'0'.repeat(8)}${name.slice(8)}`
    assert.equal(await room.resolve(missing), undefined)
    await page.call('close')
  })

  it('takes an offer of the room', async () => {
    const page = await newPage()
    const offer = await room.offer()
    const sdp = await page.call<string>('answer', offer.sdp)
    await room.accept(offer.offerId, sdp)
    assert.equal(await page.call('echo', 3_000_000), true)
    await room.opened()
    await page.call('close')
  })

  it('may send text and the largest message, and gets no second channel', async () => {
    const page = await newPage()
    await page.call('accept', await room.answer(await page.call<string>('offer')))
    await page.call('opened')
    const before = await room.stats()
    assert.equal(await page.call('misuse'), true)
    const wanted = (before['bytes_received'] ?? 0) + 4 + 262_144
    await until('all is there', async () => (await room.stats())['bytes_received'] === wanted)
    assert.equal((await room.stats())['child_deaths'], 0)
    await page.call('close')
  })

  it('was never a reason to send a packet to the world', async () => {
    assert.equal(leaving(), '')
    // What would have been seen: an address of the world in a description.
    const page = await newPage()
    const sdp = await page.call<string>('offer')
    const stranger =
      'a=candidate:9 1 udp 1677729535 192.0.2.77 50000 typ srflx raddr 0.0.0.0 rport 0'
    await room.answer(`${sdp}${stranger}\r\n`)
    await until('it is sent to', () => leaving().includes('192.0.2.77.50000'))
    await page.call('close')
  })
})
