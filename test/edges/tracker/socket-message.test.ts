import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  MAX_OFFERS,
  MAX_SCRAPED,
  MAX_SDP_CHARS,
  readSocketMessage,
} from '../../../src/edges/tracker/socket-message.ts'
import {
  announceReply,
  failureReply,
  offerReply,
  scrapeReply,
} from '../../../src/edges/tracker/socket-reply.ts'
import { binary, hexOf, SDP } from './socket-harness.ts'

const wire = '\u0000\u0001"\\\u007f\u0080\u00ff\u00e9\n\r0123456789'
const hex = '0001225c7f80ffe90a0d30313233343536373839'
const peerId = '-WW0206-abcdefghijkl'
const offerId = '\u00ff'.repeat(20)

const announce = (fields: object = {}) => ({
  action: 'announce',
  info_hash: wire,
  peer_id: peerId,
  numwant: 5,
  uploaded: 0,
  downloaded: 0,
  left: 100,
  event: 'started',
  offers: [{ offer: { type: 'offer', sdp: SDP }, offer_id: offerId }],
  ...fields,
})
const answer = (fields: object = {}) => ({
  action: 'announce',
  info_hash: wire,
  peer_id: peerId,
  to_peer_id: '-WW0206-mnopqrstuvwx',
  answer: { type: 'answer', sdp: SDP },
  offer_id: offerId,
  ...fields,
})
const read = (message: unknown) => readSocketMessage(JSON.stringify(message))

describe('messages of browsers', () => {
  test('an announce of webtorrent is read', () => {
    assert.deepEqual(read(announce()), {
      kind: 'announce',
      infoHash: hex,
      wire,
      peerId,
      event: 'started',
      left: 100,
      wanted: 1,
      offers: [{ offerId, sdp: SDP }],
    })
  })

  test('an answer is read', () => {
    assert.deepEqual(read(answer()), {
      kind: 'answer',
      infoHash: hex,
      wire,
      peerId,
      toPeerId: '-WW0206-mnopqrstuvwx',
      offerId,
      sdp: SDP,
    })
  })

  test('a scrape of one torrent and of several is read', () => {
    const torrent = { infoHash: hex, wire }
    const other = binary()
    assert.deepEqual(read({ action: 'scrape', info_hash: wire }), {
      kind: 'scrape',
      torrents: [torrent],
    })
    assert.deepEqual(read({ action: 'scrape', info_hash: [wire, other] }), {
      kind: 'scrape',
      torrents: [torrent, { infoHash: hexOf(other), wire: other }],
    })
  })

  test('what a peer may leave out may be absent or null', () => {
    for (const nothing of [undefined, null]) {
      const fields = {
        numwant: nothing,
        uploaded: nothing,
        downloaded: nothing,
        left: nothing,
        event: nothing,
        offers: nothing,
      }
      assert.deepEqual(read(announce(fields)), {
        kind: 'announce',
        infoHash: hex,
        wire,
        peerId,
        wanted: 0,
        offers: [],
      })
    }
  })

  test('numwant is held to the offers there are', () => {
    const wanted = (numwant: unknown) => {
      const message = read(announce({ numwant }))
      return message.kind === 'announce' ? message.wanted : message
    }
    assert.equal(wanted(0), 0)
    assert.equal(wanted(1), 1)
    assert.equal(wanted(1e300), 1)
    assert.equal(wanted(-1), 1)
    assert.equal(wanted(null), 1)
  })

  test('no more than ten offers are read', () => {
    const [one] = announce().offers
    const message = read(announce({ offers: Array.from({ length: 30 }, () => one) }))
    assert.equal(message.kind === 'announce' && message.offers.length, MAX_OFFERS)
  })

  test('events of other trackers mean an ordinary announce', () => {
    for (const event of ['update', 'empty', 'paused', '']) {
      const message = read(announce({ event }))
      assert.equal(message.kind, 'announce')
      assert.equal('event' in message, false)
    }
  })

  const offer = (fields: object) => ({ offers: [{ ...announce().offers[0], ...fields }] })
  const broken: Record<string, unknown> = {
    'a number': 5,
    null: null,
    'a list': [announce()],
    'a text': 'announce',
    'no action': announce({ action: undefined }),
    'an action of number': announce({ action: 1 }),
    'an unknown action': announce({ action: 'connect' }),
    'no infohash': announce({ info_hash: undefined }),
    'an infohash of hex': announce({ info_hash: hex }),
    'an infohash of number': announce({ info_hash: 5 }),
    'an infohash of list': announce({ info_hash: Array.from(wire) }),
    'an infohash of object': announce({ info_hash: { length: 20 } }),
    'an infohash of 19': announce({ info_hash: wire.slice(1) }),
    'an infohash of 21': announce({ info_hash: `${wire}a` }),
    'an infohash beyond latin1': announce({ info_hash: `${wire.slice(1)}\u0100` }),
    'an infohash with half a pair': announce({ info_hash: `${wire.slice(1)}\ud800` }),
    'no peer id': announce({ peer_id: undefined }),
    'a short peer id': announce({ peer_id: 'short' }),
    'a peer id of object': announce({ peer_id: {} }),
    'an unknown event': announce({ event: 'toString' }),
    'an event of object': announce({ event: {} }),
    'a negative left': announce({ left: -1 }),
    'a left of text': announce({ left: '5' }),
    'an uploaded of list': announce({ uploaded: [] }),
    'a downloaded of text': announce({ downloaded: 'much' }),
    'a numwant of text': announce({ numwant: '5' }),
    'a numwant of object': announce({ numwant: {} }),
    'half a numwant': announce({ numwant: 1.5 }),
    'offers of object': announce({ offers: {} }),
    'offers of text': announce({ offers: 'v=0' }),
    'offers of null': announce({ offers: [null] }),
    'offers of numbers': announce({ offers: [1, 2] }),
    'offers of lists': announce({ offers: [[]] }),
    'an offer without id': announce(offer({ offer_id: undefined })),
    'an offer with a short id': announce(offer({ offer_id: 'x' })),
    'an offer without offer': announce(offer({ offer: undefined })),
    'an offer of null': announce(offer({ offer: null })),
    'an offer of text': announce(offer({ offer: SDP })),
    'an offer that is an answer': announce(offer({ offer: { type: 'answer', sdp: SDP } })),
    'an offer without sdp': announce(offer({ offer: { type: 'offer' } })),
    'an offer with another text': announce(offer({ offer: { type: 'offer', sdp: 'hello' } })),
    'an offer with an sdp of object': announce(offer({ offer: { type: 'offer', sdp: {} } })),
    'an offer that is too long': announce(
      offer({ offer: { type: 'offer', sdp: SDP.padEnd(MAX_SDP_CHARS + 1, 'a') } }),
    ),
    'an answer of text': answer({ answer: SDP }),
    'an answer of false': answer({ answer: false }),
    'an answer that is an offer': answer({ answer: { type: 'offer', sdp: SDP } }),
    'an answer to nobody': answer({ to_peer_id: undefined }),
    'an answer to a number': answer({ to_peer_id: 1 }),
    'an answer to no offer': answer({ offer_id: undefined }),
    'a scrape of all': { action: 'scrape' },
    'a scrape of nothing': { action: 'scrape', info_hash: [] },
    'a scrape of a number': { action: 'scrape', info_hash: 5 },
    'a scrape of an object': { action: 'scrape', info_hash: {} },
    'a scrape of numbers': { action: 'scrape', info_hash: [wire, 5] },
    'a scrape of too many': {
      action: 'scrape',
      info_hash: Array.from({ length: MAX_SCRAPED + 1 }, () => wire),
    },
  }
  for (const [what, message] of Object.entries(broken)) {
    test(`${what} is refused with a reason`, () => {
      const refusal = read(message)
      assert.equal(refusal.kind, 'refused')
      assert.ok(refusal.kind === 'refused' && refusal.reason.length > 5)
      JSON.parse(failureReply(refusal))
    })
  }

  test('what is no JSON is refused', () => {
    for (const text of ['', ' ', '{', '\u0000', 'undefined', '{"action":"announce"', "{'a':1}"]) {
      assert.equal(readSocketMessage(text).kind, 'refused')
    }
  })

  test('keys of objects that JavaScript knows are nothing special', () => {
    const message = JSON.stringify(announce()).slice(0, -1)
    const read = readSocketMessage(`${message},"__proto__":{"event":"stopped"},"constructor":1}`)
    assert.equal(read.kind === 'announce' && read.event, 'started')
    const inherited = readSocketMessage(`{"__proto__":${JSON.stringify(announce())}}`)
    assert.equal(inherited.kind, 'refused')
    assert.equal(({} as Record<string, unknown>)['event'], undefined)
  })

  test('the deepest nesting a frame has room for is refused at once', () => {
    assert.equal(readSocketMessage('['.repeat(65_536)).kind, 'refused')
    const lists = '['.repeat(32_000) + ']'.repeat(32_000)
    assert.equal(readSocketMessage(lists).kind, 'refused')
    const inside = JSON.stringify(announce()).replace('"started"', lists)
    assert.equal(readSocketMessage(inside).kind, 'refused')
    const unread = JSON.stringify(announce()).replace('{', `{"x":${lists},`)
    assert.equal(readSocketMessage(unread).kind, 'announce')
  })

  test('any JSON is read or refused, and never thrown at', () => {
    const named = fc.record(
      {
        action: fc.oneof(fc.constantFrom('announce', 'scrape'), fc.jsonValue()),
        info_hash: fc.oneof(fc.constant(wire), fc.jsonValue()),
        peer_id: fc.oneof(fc.constant(peerId), fc.jsonValue()),
        to_peer_id: fc.oneof(fc.constant(peerId), fc.jsonValue()),
        offer_id: fc.oneof(fc.constant(offerId), fc.jsonValue()),
        numwant: fc.oneof(fc.nat(20), fc.jsonValue()),
        left: fc.oneof(fc.nat(), fc.jsonValue()),
        event: fc.oneof(fc.constantFrom('started', 'stopped'), fc.jsonValue()),
        offers: fc.oneof(
          fc.array(
            fc.record({
              offer: fc.oneof(fc.constant({ type: 'offer', sdp: SDP }), fc.jsonValue()),
              offer_id: fc.oneof(fc.constant(offerId), fc.jsonValue()),
            }),
          ),
          fc.jsonValue(),
        ),
        answer: fc.oneof(fc.constant({ type: 'answer', sdp: SDP }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(named, fc.jsonValue()), (value) => {
        const message = read(value)
        if (message.kind === 'refused') {
          JSON.parse(failureReply(message))
        } else if (message.kind !== 'scrape') {
          assert.match(message.infoHash, /^[0-9a-f]{40}$/)
          assert.equal(message.peerId.length, 20)
        }
        if (message.kind === 'announce') {
          assert.ok(message.offers.length <= MAX_OFFERS)
          assert.ok(message.wanted >= 0 && message.wanted <= message.offers.length)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('any text is read or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        assert.equal(readSocketMessage(text).kind, 'refused')
      }),
    )
  })

  test('a message with one character changed is read or refused', () => {
    const text = JSON.stringify(announce())
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 2 }), (at, put) => {
        const { kind } = readSocketMessage(text.slice(0, at) + put + text.slice(at + 1))
        assert.ok(kind === 'refused' || kind === 'announce')
      }),
      { numRuns: 1000 },
    )
  })
})

describe('messages to browsers', () => {
  const byte = fc.nat(255).map((code) => String.fromCharCode(code))
  const binary20 = fc.array(byte, { minLength: 20, maxLength: 20 }).map((all) => all.join(''))

  test('every infohash, peer id, offer id and sdp comes through', () => {
    fc.assert(
      fc.property(binary20, binary20, binary20, fc.string(), (hash, peer, id, text) => {
        const sdp = `v=0${text}`
        assert.deepEqual(JSON.parse(offerReply({ wire: hash, peerId: peer, offerId: id, sdp })), {
          action: 'announce',
          offer: { type: 'offer', sdp },
          offer_id: id,
          peer_id: peer,
          info_hash: hash,
        })
        const counts = { complete: 1, incomplete: 2 }
        assert.deepEqual(JSON.parse(announceReply(hash, counts, 360)), {
          action: 'announce',
          interval: 360,
          info_hash: hash,
          ...counts,
        })
        assert.deepEqual(JSON.parse(scrapeReply([{ wire: hash, ...counts, downloaded: 3 }])), {
          action: 'scrape',
          files: { [hash]: { ...counts, downloaded: 3 } },
        })
      }),
    )
  })

  test('a failure names the torrent where it is known, and else no action', () => {
    // Clients take the infohash of an announce reply for granted, and throw where it is missing.
    assert.deepEqual(JSON.parse(failureReply({ reason: 'no', action: 'announce', wire })), {
      action: 'announce',
      'failure reason': 'no',
      info_hash: wire,
    })
    assert.deepEqual(JSON.parse(failureReply({ reason: 'no', action: 'announce' })), {
      'failure reason': 'no',
    })
  })
})
