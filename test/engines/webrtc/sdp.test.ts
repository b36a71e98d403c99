import assert from 'node:assert/strict'
import { isHouse } from '../../../src/base/ip-reach.ts'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isBtlError } from '../../../src/base/errors.ts'
import {
  type Candidate,
  chooseCandidates,
  formatCandidate,
  isUsable,
  parseCandidate,
} from '../../../src/engines/webrtc/candidate.ts'
import { type Description, formatSdp, parseSdp } from '../../../src/engines/webrtc/sdp.ts'
import { CHROMIUM_OFFER, FIREFOX_OFFER, LIBDATACHANNEL_OFFER } from './sdp-samples.ts'

/** The offer with one line exchanged, or left out. */
const without = (line: RegExp, instead = '') => CHROMIUM_OFFER.replace(line, instead)

const withCandidates = (...values: string[]) =>
  parseSdp(CHROMIUM_OFFER + values.map((value) => `a=${value}\r\n`).join(''), 'offer').candidates

describe('descriptions of real programs', () => {
  it('of Chromium are read, its address behind a name', () => {
    assert.deepEqual(parseSdp(CHROMIUM_OFFER, 'offer'), {
      type: 'offer',
      mid: '0',
      iceUfrag: '6MtP',
      icePwd: 'GAnOqsfR6xB/hM0R6rKWwIMm',
      fingerprint:
        'sha-256 1E:09:08:57:31:F8:F3:4E:08:5C:43:FA:3F:AB:C7:DD:12:A5:5F:5D:4B:E6:12:EB:4C:72:8D:BF:53:D7:A3:31',
      setup: 'actpass',
      sctpPort: 5000,
      maxMessageSize: 262_144,
      candidates: [
        {
          foundation: '2839214710',
          priority: 2_113_937_151,
          host: '5cf3a2f9-9a61-4a04-9b51-5be04c5d4b0a.local',
          port: 50_541,
          type: 'host',
        },
      ],
    } satisfies Description)
  })

  it('of libdatachannel are read, the fingerprint of the session', () => {
    const { fingerprint, candidates, mid } = parseSdp(LIBDATACHANNEL_OFFER, 'offer')
    assert.equal(mid, '0')
    assert.match(fingerprint, /^sha-256 D2:2A:/)
    assert.deepEqual(
      candidates.map(({ host, port }) => `${host} ${port}`),
      ['fd00::2 48942', '192.0.2.2 48942'],
    )
  })

  it('of Firefox are read, without its candidates over TCP', () => {
    const { candidates, maxMessageSize, setup } = parseSdp(FIREFOX_OFFER, 'offer')
    assert.equal(setup, 'actpass')
    assert.equal(maxMessageSize, 1_073_741_823)
    assert.equal(candidates.length, 1)
    assert.match(candidates[0]?.host ?? '', /\.local$/)
  })

  it('are the same when read from what we write', () => {
    for (const sdp of [CHROMIUM_OFFER, FIREFOX_OFFER, LIBDATACHANNEL_OFFER]) {
      const description = parseSdp(sdp, 'offer')
      assert.deepEqual(parseSdp(formatSdp(description), 'offer'), description)
    }
  })

  it('keep nothing in our version that we did not look at', () => {
    const sdp = without(/s=-/, 's=secret').replace('a=mid:0', 'a=mid:0\r\na=x-unknown:secret')
    assert.doesNotMatch(formatSdp(parseSdp(sdp, 'offer')), /secret|unknown|generation/)
  })
})

const broken: Record<string, [sdp: string, says: RegExp]> = {
  'is empty': ['', /does not begin with v=0/],
  'is not text': ['\0\0\0\0', /malformed line "\?{4}"/],
  'is too large': [`v=0\r\n${'a=x\r\n'.repeat(4000)}`, /bytes are more than 16384/],
  'has too many lines': [`v=0\r\n${'a=x\r\n'.repeat(300)}`, /lines are more than 256/],
  'has a line without end': [`v=0\r\na=${'x'.repeat(2000)}`, /too long a line/],
  'has a line that is none': [`${CHROMIUM_OFFER}nonsense`, /malformed line "nonsense"/],
  'has an empty line inside': [`v=0\r\n\r\n${CHROMIUM_OFFER}`, /malformed line ""/],
  'has letters beyond ASCII': [without(/s=-/, 's=ü'), /malformed line "s=\?"/],
  'hides a line behind a lone CR': [without(/s=-/, 's=-\ra=x'), /malformed line/],
  'begins elsewhere': [without(/v=0/, 'v=1'), /does not begin with v=0/],
  'has no section': [without(/m=.*\r\n/), /no section for a data channel/],
  'wants audio': [
    without(/m=.*/, 'm=audio 9 UDP/TLS/RTP/SAVPF 111'),
    /not a section for a data channel: "m=audio/,
  ],
  'wants audio as well': [`${CHROMIUM_OFFER}m=audio 9 UDP/TLS/RTP/SAVPF 111`, /m=audio/],
  'has two data channels': [
    `${CHROMIUM_OFFER}m=application 9 UDP/DTLS/SCTP webrtc-datachannel`,
    /more than one section/,
  ],
  'has no fingerprint': [without(/a=fingerprint.*\r\n/), /no fingerprint/],
  'has a fingerprint of SHA-1': [
    without(/a=fingerprint.*/, `a=fingerprint:sha-1 ${'AB:'.repeat(19)}AB`),
    /no fingerprint of SHA-2/,
  ],
  'has a fingerprint cut short': [without(/:A3:31\r\n/, '\r\n'), /no fingerprint of SHA-2/],
  'has no user name': [without(/a=ice-ufrag.*\r\n/), /no ice-ufrag/],
  'has two user names': [`${CHROMIUM_OFFER}a=ice-ufrag:abcd`, /more than one ice-ufrag/],
  'has a user name of other letters': [without(/:6MtP/, ':6M P'), /not a ice-ufrag: "6M P"/],
  'has a user name without end': [without(/:6MtP/, `:${'x'.repeat(300)}`), /not a ice-ufrag/],
  'has a password cut short': [without(/:GAnOqsfR\S+/, ':GAnO'), /not a ice-pwd/],
  'has no setup': [without(/a=setup.*\r\n/), /no setup/],
  'holds the connection': [without(/:actpass/, ':holdconn'), /not a setup: "holdconn"/],
  'has no mid': [without(/a=mid.*\r\n/), /no mid/],
  'has a mid with a space': [without(/a=mid:0/, 'a=mid:0 1'), /not a mid/],
  'has an SCTP port out of range': [without(/:5000/, ':70000'), /not an sctp-port/],
  'has an SCTP port of letters': [without(/:5000/, ':five'), /not a sctp-port: "five"/],
  'wants tiny messages': [without(/:262144/, ':1'), /messages of at most 1 bytes/],
}

describe('a description that is refused', () => {
  for (const [what, [sdp, says]] of Object.entries(broken)) {
    it(what, () => {
      assert.throws(() => parseSdp(sdp, 'offer'), {
        code: 'BTL_ERR_WEBRTC_BAD_SDP',
        statusCode: 400,
        message: says,
      })
    })
  }

  it('is an answer that leaves it open who begins', () => {
    assert.throws(() => parseSdp(CHROMIUM_OFFER, 'answer'), /an answer with setup:actpass/)
    assert.equal(parseSdp(without(/:actpass/, ':active'), 'answer').setup, 'active')
  })

  it('is whatever is malformed, and nothing else is thrown', () => {
    const lines = CHROMIUM_OFFER.split('\r\n')
    const mutated = fc
      .tuple(fc.nat(lines.length - 1), fc.nat(40), fc.string({ unit: 'binary', maxLength: 40 }))
      .map(([line, at, text]) =>
        lines
          .map((old, i) => (i === line ? old.slice(0, at) + text + old.slice(at + 3) : old))
          .join('\r\n'),
      )
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ unit: 'binary' })), (sdp) => {
        try {
          const description = parseSdp(sdp, 'offer')
          const ours = formatSdp(description)
          assert.match(ours, /^[\r\n\x20-\x7e]*$/)
          assert.deepEqual(parseSdp(ours, 'offer'), description)
        } catch (error) {
          assert.ok(isBtlError(error), String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('candidates', () => {
  const udp = (host: string, port = 50_000, type = 'host') =>
    `candidate:1 1 udp 2113937151 ${host} ${port} typ ${type}`

  it('are left out over TCP, of a second component, and where they are no addresses', () => {
    const left = [
      'candidate:1 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active',
      'candidate:1 2 udp 2113937151 10.0.0.1 50000 typ host',
      'candidate:1 1 udp 99999999999 10.0.0.1 50000 typ host',
      'candidate:1 1 udp 4294967296 10.0.0.1 50000 typ host',
      'candidate:1 1 udp 0 10.0.0.1 50000 typ host',
      'candidate:1 1 udp 2113937151 10.0.0.1 50000 typ guess',
      'candidate:1 1 udp 2113937151 10.0.0.1 50000',
      'candidate:é 1 udp 2113937151 10.0.0.1 50000 typ host',
      'candidate:',
      udp('example.com'),
      udp('a.b.local'),
      udp('-x.local'),
      udp('.local'),
      udp('10.0.0.1', 0),
      udp('10.0.0.1', 53),
      udp('10.0.0.1', 65_536),
    ]
    for (const value of left) assert.equal(parseCandidate(value), undefined, value)
  })

  it('never lead to groups, to "any", or to an address that needs an interface', () => {
    const unusable = ['0.0.0.0', '0.1.2.3', '224.0.0.251', '255.255.255.255', '240.0.0.1', '::']
    unusable.push('ff02::fb', 'fe80::1', 'fe80::1%eth0', 'fec0::1', '::ffff:10.0.0.1', '::2')
    unusable.push('::ffff:a00:1', '1.2.3', '1.2.3.4.5', '010.0.0.1', 'x', '')
    for (const host of unusable) assert.equal(isUsable(host), false, host)
    const usable = ['127.0.0.1', '10.0.0.1', '192.0.2.1', '169.254.1.1', '::1', 'fd00::1']
    for (const host of [...usable, '2001:db8::1']) assert.equal(isUsable(host), true, host)
  })

  it('are known to stay in the house', () => {
    const inside = [
      '10.1.1.1',
      '127.0.0.1',
      '172.16.0.1',
      '172.31.0.1',
      '192.168.9.9',
      '100.64.0.1',
    ]
    for (const host of [...inside, '169.254.0.1', '::1', 'fd12::1', 'fc00::1'])
      assert.equal(isHouse(host), true, host)
    for (const host of ['172.32.0.1', '100.128.0.1', '8.8.8.8', '192.169.0.1', '2001:db8::1'])
      assert.equal(isHouse(host), false, host)
  })

  it('send packets to four addresses of the world at most, and to sixteen in all', () => {
    const hosts = (values: string[]) =>
      withCandidates(...values)
        .map(({ host }) => host)
        .filter((host) => !host.endsWith('.local'))
    const world = Array.from({ length: 30 }, (_, i) => udp(`192.0.2.${i}`, 50_000, 'srflx'))
    assert.equal(hosts(world).length, 4)
    const house = Array.from({ length: 30 }, (_, i) => udp(`10.0.0.${i}`))
    assert.equal(hosts([...world, ...house]).length, 15)
  })

  it('ask for three names at most, and for each address once', () => {
    const names = Array.from({ length: 9 }, (_, i) => udp(`name-${i}.local`))
    assert.equal(withCandidates(...names).length, 3)
    assert.equal(withCandidates(udp('10.0.0.1'), udp('10.0.0.1')).length, 2)
  })

  it('are the same when read from what we write', () => {
    const host = fc.oneof(
      fc.ipV4().filter(isUsable),
      fc.ipV6().filter(isUsable),
      fc.uuid().map((uuid) => `${uuid}.local`),
    )
    const candidate: fc.Arbitrary<Candidate> = fc.record({
      foundation: fc.stringMatching(/^[A-Za-z0-9+/]{1,32}$/),
      priority: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      host,
      port: fc.integer({ min: 1024, max: 65_535 }),
      type: fc.constantFrom('host', 'srflx', 'prflx', 'relay'),
    })
    fc.assert(
      fc.property(candidate, (one) => {
        assert.deepEqual(parseCandidate(formatCandidate(one)), {
          ...one,
          host: one.host.toLowerCase(),
        })
        assert.equal(chooseCandidates([one, one]).length, 1)
      }),
    )
  })
})
