import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createScrub } from '../../../src/services/doctor/index.ts'

const scrubOf = (secrets: Uint8Array[] = [], withNames = false) =>
  createScrub({ secrets, withNames, keep: new Set(['dns.port', 'router.bittorrent.com']) })

const percent = (bytes: Uint8Array) =>
  [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('')

/** Everything that programs make of bytes. */
const spellings: Record<string, (bytes: Buffer) => string> = {
  hex: (bytes) => bytes.toString('hex'),
  HEX: (bytes) => bytes.toString('hex').toUpperCase(),
  'hex with colons': (bytes) => bytes.toString('hex').replace(/..(?!$)/g, '$&:'),
  base64: (bytes) => bytes.toString('base64'),
  base64url: (bytes) => bytes.toString('base64url'),
  'base64 in lines': (bytes) => bytes.toString('base64').replace(/.{20}/g, '$&\n'),
  'base64 within more': (bytes) =>
    Buffer.concat([Buffer.from('a'), bytes, Buffer.from('zz')]).toString('base64'),
  base36: (bytes) => BigInt(`0x${bytes.toString('hex')}`).toString(36),
  percent: (bytes) => percent(bytes),
}

describe('the scrubber', () => {
  it('takes out passwords as people write them: with @, slashes and spaces', () => {
    const scrub = scrubOf()
    for (const line of [
      'channel: https://me:p@horse@dns.port/x',
      'https://me:pa/horse@router.bittorrent.com/',
      'psk: correct horse battery staple',
      'password=correct horse battery level=info',
    ]) {
      assert.doesNotMatch(scrub(line), /horse|battery|staple|correct/, line)
    }
    assert.match(scrub('password=correct horse level=info'), /level=info/)
  })

  it('takes out who lives there: names of boxes, people and wireless networks', () => {
    const options = { secrets: [], keep: new Set(['btlink.local']), hosts: ['mueller-box'] }
    const scrub = createScrub({ ...options, withNames: false })
    for (const line of [
      '2026-11-21T17:00:00+00:00 Mueller-Box btlinkd[12]: begun',
      'annas-mueller.local asked',
      'contact: mailto:mueller@example.com',
      'hostname=mueller',
      'SSID="Mueller WLAN"',
    ]) {
      assert.doesNotMatch(scrub(line), /mueller/i, line)
    }
    assert.equal(scrub('btlink.local getty@tty1.service'), 'btlink.local getty@tty1.service')
    const named = createScrub({ ...options, withNames: true })
    assert.equal(named('mueller-box mueller@example.com'), 'mueller-box mueller@example.com')
  })

  it('finds a secret of any bytes in every usual spelling, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc
          .uint8Array({ minLength: 16, maxLength: 40 })
          .filter((bytes) => new Set(bytes).size > 8 && (bytes[0] ?? 0) > 15),
        fc.constantFrom(...Object.keys(spellings)),
        fc.string({ maxLength: 20, unit: fc.constantFrom('a', 'x', ' ', '.', ':', '=', '"') }),
        (bytes, name, around) => {
          const secret = Buffer.from(bytes)
          const spelled = spellings[name]?.(secret) ?? ''
          const clean = scrubOf([bytes])(`${around} ${spelled} ${around}\n`)
          // What any ten characters of it would tell is not there.
          for (let at = 4; at + 10 < spelled.length - 4; at++) {
            assert.ok(!clean.includes(spelled.slice(at, at + 10)), `${name}: ${clean}`)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('finds a passphrase as it was typed, and as URLs and JSON escape it', () => {
    fc.assert(
      fc.property(
        fc
          .string({ minLength: 6, maxLength: 30 })
          .filter((text) => /[a-z]{3}/i.test(text) && text.trim() === text && !/[*]/.test(text)),
        (phrase) => {
          const scrub = scrubOf([Buffer.from(phrase)])
          for (const spelled of [
            phrase,
            encodeURIComponent(phrase),
            percent(Buffer.from(phrase)),
            JSON.stringify(phrase).slice(1, -1),
            Buffer.from(phrase).toString('hex'),
          ]) {
            assert.ok(!scrub(`before ${spelled} behind`).includes(spelled), spelled)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('takes out secrets that nobody told it of, by where they stand', () => {
    const scrub = scrubOf()
    const told: [line: string, secret: string][] = [
      ['https://anna:hunter22@nas.example/share', 'hunter22'],
      ['Cookie: session=abc; theme=dark', 'abc'],
      ['authorization: Basic YW5uYTpodW50ZXI=', 'YW5uYTpodW50ZXI'],
      ['  psk="blue horse"', 'blue horse'],
      ['eab_hmac_key: zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W', 'zWNDZM'],
      ['{"passphrase":"a b, c"}', 'a b, c'],
      ["wep_key0: 'x y'", 'x y'],
      [
        '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE\nAAAA\n-----END PRIVATE KEY-----',
        'MC4C',
      ],
      ['-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE', 'MC4C'],
      ['login nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5 ok', 'nsec1'],
      ['GET /x?token=s3cr3t&b=1', 's3cr3t'],
      ['seed 4f2a8c1d9e3b7a605142738495a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e', '4f2a8c1d'],
    ]
    for (const [line, secret] of told) assert.ok(!scrub(line).includes(secret), scrub(line))
  })

  it('replaces names by marks that are the same in one bundle, and others in the next', () => {
    const scrub = scrubOf()
    const key = 'yj8b38gj6jw2bmw9b6ru3xsfhtyc7bkh4fbnqyr8m5r3t1zjqe'
    const line = `web: visited host=forum.example title="My Diary" ${key}-pk.btlink Forum.example bücher.example`
    const clean = scrub(line)
    for (const name of ['forum', 'Forum', 'Diary', key, 'cher'])
      assert.ok(!clean.includes(name), clean)
    const marks = [...clean.matchAll(/<name (\w+)>/g)].map(([, mark]) => mark)
    assert.ok(new Set(marks).size < marks.length, clean)
    assert.notEqual(scrubOf()(line), clean)
    const withNames = scrubOf([], true)(line)
    assert.ok(
      withNames.includes('forum.example') && withNames.includes(`${key}-pk.btlink`),
      withNames,
    )
  })

  it('shortens public addresses and those of network cards, and leaves what helps', () => {
    const scrub = scrubOf()
    assert.equal(
      scrub('45.83.12.9 2a01:4f8:1c1c:9::1 192.168.1.20'),
      '45.83.x.x 2a01:4f8:x 192.168.1.20',
    )
    assert.equal(
      scrub('link/ether dc:a6:32:01:02:03 fe80::dea6:32ff:fe01:203'),
      'link/ether dc:a6:32:xx:xx:xx fe80::x',
    )
    const helpful = [
      'btlinkd-dns.service: active, 12:30:45, /var/lib/btlinkd/run/admin.sock, linux 6.12.41, [::]:42080, 127.0.0.1:5300',
      'dns.port 53/udp is taken by dnsmasq (process 712)',
      'bootstrap router.bittorrent.com:6881',
      'BTL_ERR_STORE_CORRUPT in state.db at 2026-11-21T14:00:00.000Z',
    ]
    for (const line of helpful) assert.equal(scrub(line), line)
  })

  it('ends on any text, however long or broken', () => {
    const scrub = scrubOf([Buffer.from('a secret')])
    fc.assert(
      fc.property(fc.string({ maxLength: 2000, unit: 'binary' }), (text) => {
        assert.equal(typeof scrub(text), 'string')
      }),
    )
    for (const long of [
      'a.'.repeat(20_000),
      '1:'.repeat(20_000),
      '='.repeat(40_000),
      'token='.repeat(8_000),
      '"key":"'.repeat(6_000),
    ]) {
      assert.ok(scrub(long).length > 0)
    }
  })
})
