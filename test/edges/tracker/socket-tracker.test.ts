import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TrackerBox } from '../../../src/edges/tracker/deps.ts'
import { until } from '../../support/until.ts'
import {
  binary,
  hexOf,
  isAnnounce,
  isAnswer,
  isFailure,
  isOffer,
  offers,
  page,
  SDP,
  settled,
  socketServer,
} from './socket-harness.ts'

const answer = { type: 'answer', sdp: SDP }

describe('the tracker over WebSocket', () => {
  test('answers an announce with a fifth of the interval and the counts', async (t) => {
    const { url } = await socketServer(t)
    const hash = binary()
    const seed = await page(t, url)
    seed.announce(hash, { left: 0, event: 'started' })
    assert.deepEqual(await seed.next(), {
      action: 'announce',
      interval: 360,
      info_hash: hash,
      complete: 1,
      incomplete: 0,
    })
    const leecher = await page(t, url)
    leecher.announce(hash, { left: null, event: 'started' })
    assert.deepEqual(await leecher.next(), {
      action: 'announce',
      interval: 360,
      info_hash: hash,
      complete: 1,
      incomplete: 1,
    })
  })

  test('brings offers to other peers and their answers back', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hash = binary()
    const a = await page(t, url)
    const b = await page(t, url)
    a.announce(hash, { left: 0 })
    await a.next(isAnnounce)
    const made = offers(5)
    b.announce(hash, { offers: made })
    const offer = await a.next(isOffer)
    assert.deepEqual(offer, {
      action: 'announce',
      offer: { type: 'offer', sdp: SDP },
      offer_id: made[0]?.offer_id,
      peer_id: b.peerId,
      info_hash: hash,
    })
    const back = {
      action: 'announce',
      info_hash: hash,
      peer_id: a.peerId,
      to_peer_id: b.peerId,
      offer_id: offer['offer_id'],
      answer,
    }
    a.say(back)
    assert.deepEqual(await b.next(isAnswer), {
      action: 'announce',
      answer,
      offer_id: offer['offer_id'],
      peer_id: a.peerId,
      info_hash: hash,
    })
    a.say(back)
    await settled(a, b)
    assert.equal(b.heard.filter(isAnswer).length, 0, 'an offer is answered once')
    assert.equal(tracker.stats()['socket_answers_unasked'], 1)
  })

  test('gives each offer to one peer, and no more of them than numwant', async (t) => {
    const { url } = await socketServer(t)
    const hash = binary()
    const others = await Promise.all(Array.from({ length: 6 }, async () => page(t, url)))
    for (const other of others) {
      other.announce(hash)
      await other.next(isAnnounce)
    }
    const asking = await page(t, url)
    asking.announce(hash, { numwant: 3, offers: offers(5) })
    await asking.next(isAnnounce)
    await settled(...others)
    const got = others.map(({ heard }) => heard.filter(isOffer))
    assert.equal(got.flat().length, 3)
    assert.ok(got.every((each) => each.length <= 1))
    assert.equal(new Set(got.flat().map((offer) => offer['offer_id'])).size, 3)
    asking.announce(hash, { numwant: 0, offers: offers(5) })
    await asking.next(isAnnounce)
    await settled(...others)
    assert.equal(others.flatMap(({ heard }) => heard.filter(isOffer)).length, 3, 'none for 0')
  })

  test('brings no seed to a seed', async (t) => {
    const { url } = await socketServer(t)
    const hash = binary()
    const seed = await page(t, url)
    const leecher = await page(t, url)
    seed.announce(hash, { left: 0 })
    leecher.announce(hash)
    await seed.next(isAnnounce)
    await leecher.next(isAnnounce)
    const second = await page(t, url)
    second.announce(hash, { left: 0, offers: offers(5) })
    await leecher.next(isOffer)
    await settled(seed)
    assert.equal(seed.heard.filter(isOffer).length, 0)
  })

  test('counts whoever completes once, and nobody who came whole', async (t) => {
    const { url, completed } = await socketServer(t)
    const hash = binary()
    const a = await page(t, url)
    a.announce(hash, { event: 'started' })
    a.announce(hash, { event: 'completed', left: 0 })
    a.announce(hash, { event: 'completed', left: 0 })
    const b = await page(t, url)
    b.announce(hash, { event: 'started', left: 0 })
    b.announce(hash, { event: 'completed', left: 0 })
    await settled(a, b)
    assert.deepEqual(completed, [hexOf(hash)])
    assert.equal(a.heard.findLast(isAnnounce)?.['complete'], 1)
    assert.equal(b.heard.findLast(isAnnounce)?.['complete'], 2)
  })

  test('scrapes one torrent and several', async (t) => {
    const { url } = await socketServer(t)
    const hashes = [binary(), binary()] as const
    const a = await page(t, url)
    a.announce(hashes[0], { left: 0 })
    a.announce(hashes[1])
    a.say({ action: 'scrape', info_hash: hashes[0] })
    const one = await a.next((reply) => reply['action'] === 'scrape')
    assert.deepEqual(one['files'], { [hashes[0]]: { complete: 1, incomplete: 0, downloaded: 0 } })
    a.say({ action: 'scrape', info_hash: hashes })
    const two = await a.next((reply) => reply['action'] === 'scrape')
    assert.deepEqual(two['files'], {
      [hashes[0]]: { complete: 1, incomplete: 0, downloaded: 0 },
      [hashes[1]]: { complete: 0, incomplete: 1, downloaded: 0 },
    })
  })

  test('counts peers of other kinds along', async (t) => {
    const addressPeers = { complete: 3, incomplete: 4, downloaded: 5 }
    const { url, tracker } = await socketServer(t, { addressPeers })
    const hash = binary()
    const a = await page(t, url)
    a.announce(hash, { left: 0 })
    const reply = await a.next()
    assert.deepEqual([reply['complete'], reply['incomplete']], [4, 4])
    a.say({ action: 'scrape', info_hash: hash })
    const counted = { complete: 4, incomplete: 4, downloaded: 5 }
    assert.deepEqual((await a.next())['files'], { [hash]: counted })
    assert.deepEqual(tracker.counts(hexOf(hash)), { complete: 1, incomplete: 0 })
  })

  test('refuses torrents that are not tracked', async (t) => {
    const own = binary()
    const { url, tracker } = await socketServer(t, { allowed: (hash) => hash === hexOf(own) })
    const a = await page(t, url)
    const other = binary()
    a.announce(other)
    const refusal = await a.next()
    assert.match(String(refusal['failure reason']), /does not know/)
    assert.equal(refusal['info_hash'], other)
    assert.equal(refusal['action'], 'announce')
    a.say({ action: 'scrape', info_hash: [other, own] })
    assert.deepEqual(Object.keys((await a.next())['files'] as object), [own])
    assert.equal(tracker.stats()['socket_torrents'], 0)
  })

  test('forgets a peer that stops or whose socket closes, and swarms without peers', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hash = binary()
    const a = await page(t, url)
    const b = await page(t, url)
    a.announce(hash)
    b.announce(hash)
    await a.next(isAnnounce)
    await b.next(isAnnounce)
    a.announce(hash, { event: 'stopped' })
    assert.equal((await a.next(isAnnounce))['incomplete'], 1)
    b.close()
    await until('b to be forgotten', () => tracker.stats()['sockets'] === 1)
    assert.deepEqual(tracker.counts(hexOf(hash)), { complete: 0, incomplete: 0 })
    assert.equal(tracker.stats()['socket_torrents'], 0)
  })

  test('lets only the socket that owns a peer id stop or replace it', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hash = binary()
    const owner = await page(t, url)
    owner.announce(hash, { left: 0 })
    await owner.next(isAnnounce)
    const thief = await page(t, url, { peerId: owner.peerId })
    for (const event of ['started', 'stopped', 'completed', undefined]) {
      thief.announce(hash, { event })
      assert.match(String((await thief.next())['failure reason']), /another socket/)
    }
    thief.close()
    await until('the thief to leave', () => tracker.stats()['sockets'] === 1)
    assert.deepEqual(tracker.counts(hexOf(hash)), { complete: 1, incomplete: 0 })
    const asking = await page(t, url)
    asking.announce(hash, { offers: offers(1) })
    await owner.next(isOffer)
  })

  test('takes a new peer id of the same socket for the old one', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hash = binary()
    const a = await page(t, url)
    a.announce(hash)
    a.announce(hash, { peer_id: binary() })
    await a.next(isAnnounce)
    assert.equal((await a.next(isAnnounce))['incomplete'], 1)
    assert.equal(tracker.stats()['socket_peers'], 1)
  })

  test('drops answers nobody asked for', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hash = binary()
    const victim = await page(t, url)
    const liar = await page(t, url)
    const bystander = await page(t, url)
    for (const each of [victim, bystander]) {
      each.announce(hash)
      await each.next(isAnnounce)
    }
    const unasked = {
      action: 'announce',
      info_hash: hash,
      to_peer_id: victim.peerId,
      offer_id: binary(),
      answer,
    }
    // From outside the swarm, from a member, and in the name of another.
    liar.say({ ...unasked, peer_id: liar.peerId })
    liar.say({ ...unasked, peer_id: bystander.peerId })
    bystander.say({ ...unasked, peer_id: bystander.peerId })
    await settled(liar, bystander, victim)
    assert.equal(victim.heard.length, 0)
    assert.equal(liar.heard.length, 0)
    assert.equal(tracker.stats()['socket_answers_unasked'], 3)
  })

  test('drops offers to nobody', async (t) => {
    const { url, tracker } = await socketServer(t)
    const a = await page(t, url)
    for (let i = 0; i < 50; i++) a.announce(binary(), { offers: offers(10), numwant: 10 })
    await settled(a)
    assert.equal(a.heard.filter(isAnnounce).length, 50)
    assert.equal(a.heard.filter(isFailure).length, 0)
    assert.equal(tracker.stats()['socket_offers'], 0)
  })

  test('prefers others to a peer that leaves offers unanswered', async (t) => {
    const { url } = await socketServer(t, { limits: { maxUnanswered: 4 } })
    const hash = binary()
    const silent = await page(t, url)
    silent.announce(hash)
    await silent.next(isAnnounce)
    const asking = await page(t, url)
    for (let i = 0; i < 10; i++) asking.announce(hash, { offers: offers(1) })
    await settled(asking, silent)
    assert.equal(silent.heard.filter(isOffer).length, 4)
  })
})

describe('the box in a swarm of browsers', () => {
  const boxId = 'ab'.repeat(20)
  const wire = Buffer.from(boxId, 'hex').toString('latin1')
  const asked: { infoHash: string; peerId: string }[] = []
  const box = (holds: 'whole' | 'part'): Partial<TrackerBox> => ({
    holds: () => holds,
    async answerOffer(infoHash, { peerId }) {
      asked.push({ infoHash, peerId })
      return { sdp: `${SDP}a=box\r\n`, peerId: boxId }
    },
  })

  test('answers the first offer itself', async (t) => {
    const { url } = await socketServer(t, { box: box('whole') })
    const hash = binary()
    const a = await page(t, url)
    const made = offers(5)
    asked.length = 0
    a.announce(hash, { offers: made })
    assert.deepEqual(await a.next(isAnswer), {
      action: 'announce',
      answer: { type: 'answer', sdp: `${SDP}a=box\r\n` },
      offer_id: made[0]?.offer_id,
      peer_id: wire,
      info_hash: hash,
    })
    assert.deepEqual(asked, [
      { infoHash: hexOf(hash), peerId: Buffer.from(a.peerId, 'latin1').toString('hex') },
    ])
  })

  test('is not brought to a seed where it is one', async (t) => {
    const { url, tracker } = await socketServer(t, { box: box('whole') })
    const a = await page(t, url)
    a.announce(binary(), { left: 0, offers: offers(5) })
    await a.next(isAnnounce)
    assert.equal(tracker.stats()['box_offers'], 0)
  })

  test('is brought to a seed where it misses something', async (t) => {
    const { url } = await socketServer(t, { box: box('part') })
    const a = await page(t, url)
    a.announce(binary(), { left: 0, offers: offers(5) })
    await a.next(isAnswer)
  })

  test('hears a peer again after a while, and not at each announce', async (t) => {
    const { url, tracker } = await socketServer(t, {
      box: box('whole'),
      limits: { beatMs: 100, boxRetryBeats: 3, silentBeats: 1000 },
    })
    const hash = binary()
    const a = await page(t, url)
    for (let i = 0; i < 5; i++) a.announce(hash, { offers: offers(1) })
    await settled(a)
    assert.equal(tracker.stats()['box_offers'], 1)
    await until('the box to be asked again', async () => {
      a.announce(hash, { offers: offers(1) })
      await settled(a)
      return tracker.stats()['box_offers'] === 2
    })
  })

  test('answers a few at a time, lets others wait, and asks the rest to come again soon', async (t) => {
    const waiting: (() => void)[] = []
    const { url, tracker } = await socketServer(t, {
      limits: { boxAnswering: 2, boxWaiting: 3 },
      box: {
        holds: () => 'whole',
        answerOffer: async () =>
          new Promise((resolve) => {
            waiting.push(() => resolve({ sdp: SDP, peerId: boxId }))
          }),
      },
    })
    const hash = binary()
    const pages = await Promise.all(Array.from({ length: 6 }, async () => page(t, url)))
    const intervals: unknown[] = []
    for (const each of pages) {
      each.announce(hash, { offers: offers(1) })
      intervals.push((await each.next(isAnnounce))['interval'])
    }
    assert.deepEqual(intervals, [360, 360, 360, 360, 360, 30])
    assert.equal(waiting.length, 2)
    assert.equal(tracker.stats()['box_waiting'], 3)
    const answered = Promise.all(pages.slice(0, 5).map(async (each) => each.next(isAnswer)))
    await until('all to be answered', () => {
      waiting.shift()?.()
      return tracker.stats()['box_answers'] === 5
    })
    await answered
  })

  test('stays silent where it fails, throws or takes too long, and is not stuck', async (t) => {
    let how = 0
    const { url, tracker } = await socketServer(t, {
      limits: { boxTimeoutMs: 50, boxAnswering: 1, boxRetryBeats: 0 },
      box: {
        holds: () => 'whole',
        answerOffer(): Promise<undefined> {
          how++
          if (how === 1) throw new Error('at once')
          if (how === 2) return Promise.reject(new Error('later'))
          if (how === 3) return Promise.resolve(undefined)
          return new Promise(() => undefined)
        },
      },
    })
    const hash = binary()
    const a = await page(t, url)
    for (let i = 1; i <= 5; i++) {
      a.announce(hash, { offers: offers(1) })
      await a.next(isAnnounce)
      const settledNow = () =>
        tracker.stats()['box_answering'] === 0 && tracker.stats()['box_offers'] === i
      await until('the box to give up', settledNow)
    }
    assert.equal(tracker.stats()['box_offers_failed'], 4)
    assert.equal(tracker.stats()['box_offers_declined'], 1)
    assert.equal(a.heard.filter(isAnswer).length, 0)
  })

  test('keeps its time from one socket and one address that want all of it', async (t) => {
    const { url, tracker } = await socketServer(t, {
      limits: { boxAnswering: 1, boxPerSocket: 2, boxPerAddress: 3 },
      box: { holds: () => 'whole', answerOffer: async () => new Promise(() => undefined) },
    })
    const near = { headers: { 'x-test-address': '192.0.2.1' } }
    const first = await page(t, url, near)
    const second = await page(t, url, near)
    const other = await page(t, url, { headers: { 'x-test-address': '192.0.2.2' } })
    const interval = async (each: typeof first) => {
      each.announce(binary(), { offers: offers(1) })
      return (await each.next(isAnnounce))['interval']
    }
    const intervals = [
      await interval(first),
      await interval(first),
      await interval(first),
      await interval(second),
      await interval(second),
      await interval(other),
    ]
    assert.deepEqual(intervals, [360, 360, 30, 360, 30, 360])
    assert.equal(tracker.stats()['box_waiting'], 3)
    first.close()
    second.close()
    await until('those that left to make room', () => tracker.stats()['box_waiting'] === 0)
    assert.equal(tracker.stats()['box_answering'], 1)
    assert.equal(await interval(other), 360)
  })

  test('keeps room for others while those it answered to one address connect', async (t) => {
    const { url, tracker } = await socketServer(t, {
      limits: { beatMs: 40, boxPerAddress: 3, boxConnectBeats: 3 },
      box: {
        holds: () => 'whole',
        answerOffer: async () => ({ sdp: SDP, peerId: '00'.repeat(20) }),
      },
    })
    const flood = await page(t, url, { headers: { 'x-test-address': '192.0.2.1' } })
    const other = await page(t, url, { headers: { 'x-test-address': '192.0.2.2' } })
    const answered = async (each: typeof flood, count: number) => {
      for (let i = 0; i < count; i++) each.announce(binary(), { offers: offers(1) })
      for (let i = 0; i < count; i++) await each.next(isAnnounce)
      await until('the box to be done', () => tracker.stats()['box_answering'] === 0)
      return tracker.stats()['box_answers']
    }
    assert.equal(await answered(flood, 5), 3)
    assert.equal(await answered(other, 1), 4)
    await until('the flood to be heard again', async () => ((await answered(flood, 1)) ?? 0) > 4)
  })

  test('gives up an answer whose socket has gone', async (t) => {
    let aborted = false
    const { url } = await socketServer(t, {
      box: {
        holds: () => 'whole',
        answerOffer: async (_hash, _offer, signal) =>
          new Promise((_resolve, reject) => {
            signal?.addEventListener('abort', () => {
              aborted = true
              reject(new Error('gone'))
            })
          }),
      },
    })
    const a = await page(t, url)
    a.announce(binary(), { offers: offers(1) })
    await a.next(isAnnounce)
    a.close()
    await until('the box to be told', () => aborted)
  })
})
