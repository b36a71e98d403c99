import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FIREFOX, firefoxPage } from './firefox-page.ts'
import { withoutNetns } from '../../support/household.ts'
import { PYTHON } from '../../support/libtorrent.ts'
import { missing } from '../../support/processes.ts'
import type { Cleanup } from '../../support/temp.ts'
import { type PagePeer, pageServer } from './page-peer.ts'
import { type RemoteRoom, remoteRoom } from './remote-room.ts'
import { roomAndTab } from './room-and-tab.ts'

const skip = missing(PYTHON, FIREFOX) || withoutNetns()

describe('Firefox in the same household', { skip }, () => {
  const cleanups: (() => void | Promise<void>)[] = []
  const t: Cleanup = { after: (fn) => void cleanups.push(fn) }
  let room: RemoteRoom
  let page: PagePeer

  before(async () => {
    const { box, tab } = await roomAndTab(t)
    room = await remoteRoom(t, 'echo', box.netns)
    const firefox = await firefoxPage(t, await pageServer(t, tab.netns), tab.netns)
    page = {
      call: (method, ...values) =>
        firefox.evaluate(`window.peer.${method}(...${JSON.stringify(values)})`),
    }
  })
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })

  it('hides its address behind a name, and is answered all the same', async () => {
    const sdp = await page.call<string>('offer')
    assert.match(sdp, /[0-9a-f-]{36}\.local \d+ typ host/)
    await page.call('accept', await room.answer(sdp))
    assert.equal(await page.call('echo', 1_000_000), true)
    // From the answer on it says so to whoever asks for the name.
    const name = /[0-9a-f-]{36}\.local/.exec(sdp)?.[0] ?? ''
    assert.equal(await room.resolve(name), '10.77.0.2')
    assert.equal((await room.opened()).host, '10.77.0.2')
    await page.call('close')
  })

  it('takes an offer of the room', async () => {
    const offer = await room.offer()
    await room.accept(offer.offerId, await page.call<string>('answer', offer.sdp))
    assert.equal(await page.call('echo', 1_000_000), true)
    await page.call('close')
  })
})
