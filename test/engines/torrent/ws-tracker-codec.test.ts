import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { infoHash } from '../../../src/base/hashes.ts'
import {
  decodeWsMessage,
  encodeWsAnnounce,
  encodeWsAnswer,
} from '../../../src/engines/torrent/trackers/ws-tracker-codec.ts'

const HASH = infoHash('0001ff'.padEnd(40, '7'))
const PEER = '2d5757303030312d'.padEnd(40, 'e')
const OFFER = 'fe'.repeat(20)
const binary = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')
const hash = binary(HASH)
const peer = binary(PEER)
const offerId = binary(OFFER)
const sdp = 'v=0\r\n'

describe('messages of WebSocket trackers', () => {
  it('are announces as WebTorrent makes them', () => {
    const text = encodeWsAnnounce({
      infoHash: HASH,
      peerId: PEER,
      left: 5,
      event: 'started',
      offers: [{ offerId: OFFER, sdp }],
    })
    assert.deepEqual(JSON.parse(text), {
      action: 'announce',
      info_hash: hash,
      peer_id: peer,
      numwant: 1,
      uploaded: 0,
      downloaded: 0,
      left: 5,
      event: 'started',
      offers: [{ offer: { type: 'offer', sdp }, offer_id: offerId }],
    })
  })

  it('say good-bye without offers', () => {
    const announce = { infoHash: HASH, peerId: PEER, left: 0, offers: [] }
    const said = JSON.parse(encodeWsAnnounce({ ...announce, event: 'stopped' })) as object
    assert.equal('offers' in said, false)
    assert.deepEqual(Reflect.get(JSON.parse(encodeWsAnnounce(announce)) as object, 'offers'), [])
  })

  it('are answers that come back as they went', () => {
    const answer = { infoHash: HASH, peerId: PEER, toPeerId: PEER, offerId: OFFER, sdp }
    const said = encodeWsAnswer(answer)
    assert.equal(Reflect.get(JSON.parse(said) as object, 'to_peer_id'), peer)
    assert.deepEqual(decodeWsMessage(said), {
      kind: 'answer',
      infoHash: HASH,
      peerId: PEER,
      offerId: OFFER,
      sdp,
    })
  })

  it('are replies, offers and refusals', () => {
    const reply = { action: 'announce', info_hash: hash, interval: 120, complete: 1, incomplete: 2 }
    assert.deepEqual(decodeWsMessage(JSON.stringify(reply)), {
      kind: 'reply',
      infoHash: HASH,
      intervalSeconds: 120,
      complete: 1,
      incomplete: 2,
    })
    const offer = {
      action: 'announce',
      info_hash: hash,
      peer_id: peer,
      offer_id: offerId,
      offer: { type: 'offer', sdp },
    }
    assert.deepEqual(decodeWsMessage(JSON.stringify(offer)), {
      kind: 'offer',
      infoHash: HASH,
      peerId: PEER,
      offerId: OFFER,
      sdp,
    })
    const refusal = { action: 'announce', 'failure reason': 'x'.repeat(1000) }
    assert.deepEqual(decodeWsMessage(JSON.stringify(refusal)), {
      kind: 'failure',
      reason: 'x'.repeat(200),
    })
  })

  const base = { action: 'announce', info_hash: hash, peer_id: peer, offer_id: offerId }
  const broken: Record<string, unknown> = {
    'no JSON': undefined,
    null: null,
    'a number': 5,
    'a list': [base],
    'no action': { ...base, action: undefined },
    'another action': { ...base, action: 'scrape' },
    'an infohash that is a number': { ...base, info_hash: 5 },
    'an infohash that is a dict': { ...base, info_hash: {} },
    'an infohash of 19 bytes': { ...base, info_hash: hash.slice(1) },
    'an infohash beyond bytes': { ...base, info_hash: 'ā'.repeat(20) },
    'an offer that is null beside an answer that is text': { ...base, offer: null, answer: 'x' },
    'an offer that is a list': { ...base, offer: [null] },
    'an offer without SDP': { ...base, offer: { type: 'offer' } },
    'an offer with an SDP that is a dict': { ...base, offer: { type: 'offer', sdp: {} } },
    'an offer with an empty SDP': { ...base, offer: { type: 'offer', sdp: '' } },
    'an offer of 17 KiB': { ...base, offer: { type: 'offer', sdp: 'x'.repeat(17 * 1024) } },
    'an offer that is called an answer': { ...base, offer: { type: 'answer', sdp } },
    'an offer without a sender': { ...base, peer_id: undefined, offer: { type: 'offer', sdp } },
    'an offer with a short id': { ...base, offer_id: 'x', offer: { type: 'offer', sdp } },
    'an answer with an id that is a number': {
      ...base,
      offer_id: 7,
      answer: { type: 'answer', sdp },
    },
  }
  for (const [what, value] of Object.entries(broken)) {
    it(`are refused: ${what}`, () => {
      const text = value === undefined ? '{"action":' : JSON.stringify(value)
      assert.equal(decodeWsMessage(text), undefined)
    })
  }

  it('take absurd intervals for none', () => {
    for (const interval of ['120', -1, null, {}, true]) {
      const said = decodeWsMessage(
        JSON.stringify({ action: 'announce', info_hash: hash, interval, incomplete: interval }),
      )
      assert.deepEqual(said, {
        kind: 'reply',
        infoHash: HASH,
        intervalSeconds: 0,
        complete: 0,
        incomplete: 0,
      })
    }
  })

  it('never throw, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        decodeWsMessage(text)
      }),
    )
    const field = fc.oneof(fc.jsonValue(), fc.constantFrom(hash, peer, offerId, { sdp }))
    fc.assert(
      fc.property(field, field, field, field, (info_hash, peer_id, offer_id, offer) => {
        const message = { action: 'announce', info_hash, peer_id, offer_id, offer }
        decodeWsMessage(JSON.stringify(message))
      }),
    )
  })
})
