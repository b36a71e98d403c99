import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../src/base/bytes.ts'
import { decodeAddresses, encodeQuery } from '../../../src/engines/webrtc/dns-message.ts'

const NAME = 'ab.local'
// 02 'ab' 05 'local' 00
const WIRE = '026162056c6f63616c00'

/** A response with these records after the header. */
const response = (count: number, records: string, flags = '8400') =>
  fromHex(`0000${flags}0000${count.toString(16).padStart(4, '0')}00000000${records}`)

/** An A record of 10.77.0.2, the cache-flush bit set, 120 s, as Chromium sends it. */
const RECORD = `${WIRE}000180010000007800040a4d0002`

describe('Multicast DNS messages', () => {
  it('ask for both kinds of address in one packet', () => {
    assert.equal(toHex(encodeQuery(NAME)), `000000000002000000000000${WIRE}00010001c00c001c0001`)
  })

  it('cannot ask for a name that DNS has no room for', () => {
    assert.throws(() => encodeQuery(`${'x'.repeat(64)}.local`), RangeError)
    assert.throws(() => encodeQuery('a..local'), RangeError)
    assert.throws(() => encodeQuery(`${'abc.'.repeat(70)}local`), RangeError)
  })

  it('give the IPv4 address of the name', () => {
    assert.deepEqual(decodeAddresses(response(1, RECORD), NAME), [
      { address: '10.77.0.2', ttlSeconds: 120 },
    ])
  })

  it('give the IPv6 address of the name, whatever the case of its letters', () => {
    const upper = WIRE.replace('6162', '4142')
    const record = `${upper}001c000100000078001020010db8${'00'.repeat(11)}01`
    assert.deepEqual(decodeAddresses(response(1, record), NAME), [
      { address: '2001:db8::1', ttlSeconds: 120 },
    ])
  })

  it('follow a pointer back, past records that are something else', () => {
    const text = `${WIRE}0010800100000078000100`
    const pointed = 'c00c' + RECORD.slice(WIRE.length)
    assert.equal(decodeAddresses(response(2, text + pointed), NAME)[0]?.address, '10.77.0.2')
  })

  const broken: Record<string, Uint8Array> = {
    'are empty': new Uint8Array(0),
    'end within the header': fromHex('000084000000'),
    'are a question': response(1, RECORD, '0000'),
    'report a failure': response(1, RECORD, '8403'),
    'are of another kind of query': response(1, RECORD, 'a400'),
    'are of another name': response(1, RECORD.replace('6162', '6163')),
    'are of another class': response(1, RECORD.replace('00018001', '00018003')),
    'have an address of three bytes': response(1, RECORD.replace('00040a4d0002', '00030a4d00')),
    'end within the address': response(1, RECORD.slice(0, -2)),
    'end within the name': response(1, '0261'),
    'point to themselves': response(1, `c00c${RECORD.slice(WIRE.length)}`),
    'point ahead': response(1, `c010${RECORD.slice(WIRE.length)}`),
    'point around in a circle': response(1, `0161c00c${RECORD.slice(WIRE.length)}`),
    'have a label of a reserved kind': response(1, `42${RECORD.slice(2)}`),
    'have a name without end': response(1, `${'3f'.padEnd(128, '61').repeat(5)}00`),
    'promise questions that are not there': fromHex(`00008400ffff000100000000${RECORD}`),
  }
  for (const [what, packet] of Object.entries(broken)) {
    it(`give nothing where they ${what}`, () => {
      assert.deepEqual(decodeAddresses(packet, NAME), [])
    })
  }

  it('never make it throw or run on, and never give an address of another name', () => {
    const whole = response(1, RECORD)
    const mutated = fc
      .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 })
      .map((changes) => {
        const bytes = Uint8Array.from(whole)
        for (const [at, byte] of changes) bytes[at] = byte
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), (packet) => {
        assert.deepEqual(decodeAddresses(packet, 'other.local'), [])
        for (const { address } of decodeAddresses(packet, NAME))
          assert.match(address, /^[\d.a-f:]+$/)
      }),
      { numRuns: 3000 },
    )
  })
})
