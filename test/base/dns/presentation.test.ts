import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromHex, fromLatin1, toHex, utf8 } from '../../../src/base/bytes.ts'
import { CLASS, FLAG, TYPE } from '../../../src/base/dns/codes.ts'
import {
  textOfClass,
  textOfData,
  textOfExtendedError,
  textOfFlags,
  textOfRcode,
  textOfRecord,
  textOfType,
  typeOfText,
} from '../../../src/base/dns/presentation.ts'
import {
  addressData,
  caaData,
  hinfoData,
  mxData,
  nameData,
  serviceData,
  soaData,
  srvData,
  txtData,
} from '../../../src/base/dns/record-data.ts'
import { missing, output, run } from '../../support/processes.ts'
import { named } from './messages.ts'

const PYTHON = '/usr/bin/python3'
const address = (text: string) => addressData(text) ?? new Uint8Array(0)

const soa = {
  primary: named('ns.btlink'),
  mailbox: named('host.master.btlink'),
  serial: 4_294_967_295,
  refresh: 1,
  retry: 2,
  expire: 3,
  minimum: 60,
}
const param = (key: number, hex: string) => ({ key, value: fromHex(hex) })

const written: [type: number, data: Uint8Array, text: string][] = [
  [TYPE.A, address('192.0.2.1'), '192.0.2.1'],
  [TYPE.AAAA, address('2001:db8::1'), '2001:db8::1'],
  [TYPE.NS, nameData(named('ns.btlink')), 'ns.btlink.'],
  [TYPE.CNAME, nameData(named('.')), '.'],
  [TYPE.PTR, nameData(named('a\\.b.\\233.btlink')), 'a\\.b.\\233.btlink.'],
  [TYPE.SOA, soaData(soa), 'ns.btlink. host.master.btlink. 4294967295 1 2 3 60'],
  [TYPE.MX, mxData(10, named('mx.example')), '10 mx.example.'],
  [TYPE.TXT, txtData([utf8('a "b" \\ \u00e9'), utf8('')]), '"a \\"b\\" \\\\ \\195\\169" ""'],
  [TYPE.HINFO, hinfoData('RFC8482', ''), '"RFC8482" ""'],
  [
    TYPE.SRV,
    srvData({ priority: 1, weight: 2, port: 443, target: named('a.example') }),
    '1 2 443 a.example.',
  ],
  [TYPE.CAA, caaData(128, 'issue', 'ca.example; x="1"'), '128 issue "ca.example; x=\\"1\\""'],
  [
    TYPE.HTTPS,
    serviceData({
      priority: 1,
      target: named('.'),
      params: [
        param(0, '00010003'),
        param(1, '026832026833'),
        param(2, ''),
        param(3, '01bb'),
        param(4, 'c0000201c0000202'),
        param(5, 'fe0d'),
        param(6, '20010db8000000000000000000000001'),
        param(667, '22412c'),
      ],
    }),
    '1 . mandatory=alpn,port alpn="h2,h3" no-default-alpn port=443 ipv4hint=192.0.2.1,192.0.2.2 ech=/g0= ipv6hint=2001:db8::1 key667="\\"A,"',
  ],
  [TYPE.SVCB, serviceData({ priority: 0, target: named('b.example'), params: [] }), '0 b.example.'],
  // RFC 3597 §5, and a private type.
  [65_280, fromHex('0a000001'), '\\# 4 0A000001'],
  [65_280, new Uint8Array(0), '\\# 0'],
  // RFC 4034 §5.4.
  [
    43,
    fromHex('ec4505012bb183af5f22588179a53b0a98631fad1a292118'),
    '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
  ],
  [48, fromHex('0100030d0102'), '256 3 13 AQI='],
  [52, fromHex('030101ab'), '3 1 1 AB'],
]

describe('records for people', () => {
  for (const [type, data, text] of written) {
    it(`are written as ${textOfType(type)} ${text.slice(0, 50)}`, () => {
      assert.equal(textOfData(type, data), text)
    })
  }

  it('are read back as the same bytes by dnspython', { skip: missing(PYTHON) }, async (t) => {
    if ((await run(PYTHON, ['-c', 'import dns'])).code !== 0) {
      t.skip('needs python3-dnspython')
      return
    }
    const script = `
import dns.rdata, json, sys
for type, text in json.load(sys.stdin):
    print(dns.rdata.from_text('IN', type, text).to_wire().hex())`
    const input = JSON.stringify(written.map(([type, , text]) => [textOfType(type), text]))
    const read = (await output(PYTHON, ['-c', script], { input })).trimEnd().split('\n')
    assert.deepEqual(
      read,
      written.map(([, data]) => toHex(data)),
    )
  })

  it('have an owner, a TTL, a class and a type', () => {
    const record = { name: named('btlink'), ttl: 60, class: CLASS.IN, type: TYPE.A }
    assert.equal(
      textOfRecord({ ...record, data: address('192.0.2.1') }),
      'btlink. 60 IN A 192.0.2.1',
    )
    assert.equal(
      textOfRecord({ ...record, class: 9, type: 731, data: fromHex('00') }),
      'btlink. 60 CLASS9 TYPE731 \\# 1 00',
    )
  })

  it('are bytes where the data is not of the form of its type', () => {
    const broken: [number, string][] = [
      [TYPE.A, 'c00002'],
      [TYPE.A, 'c000020101'],
      [TYPE.NS, '0161'],
      [TYPE.NS, '016100ff'],
      [TYPE.NS, 'c00c'],
      [TYPE.SOA, '0000'],
      [TYPE.TXT, ''],
      [TYPE.TXT, '0361'],
      [TYPE.CAA, '00'],
      [TYPE.HTTPS, '000100000100'],
      [TYPE.HTTPS, '0001000004000301020304'],
      [TYPE.HTTPS, '00010000030001ff'],
    ]
    for (const [type, hex] of broken) {
      const text = textOfData(type, fromHex(hex))
      assert.match(text, /^\\# |^1 \. key3="\\255"$/, `${type} ${hex}: ${text}`)
    }
  })

  it('are printable ASCII on one line, whatever the bytes', () => {
    const types = [...new Set(written.map(([type]) => type)), 17, 35, 44, 61, 99, 256]
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 300 }), (type, data) => {
        assert.match(textOfData(type, data), /^[ -~]+$/)
      }),
      { numRuns: 2000 },
    )
  })

  it('end nothing early with what stands in an ALPN', () => {
    for (const id of ['a,b', 'a\\b', 'a"b', 'a\nb']) {
      const value = Uint8Array.of(id.length, ...fromLatin1(id))
      const data = serviceData({ priority: 1, target: named('.'), params: [{ key: 1, value }] })
      assert.doesNotMatch(textOfData(TYPE.HTTPS, data), / alpn="a,b"/)
      assert.match(textOfData(TYPE.HTTPS, data), /^1 \. key1="[ -~]+"$/)
    }
  })
})

describe('types, classes, rcodes and flags', () => {
  it('have their names, or a number', () => {
    assert.deepEqual([1, 65, 257, 65_280].map(textOfType), ['A', 'HTTPS', 'CAA', 'TYPE65280'])
    assert.deepEqual([1, 3, 7].map(textOfClass), ['IN', 'CH', 'CLASS7'])
    assert.deepEqual([0, 3, 16, 999].map(textOfRcode), [
      'NOERROR',
      'NXDOMAIN',
      'BADVERS',
      'RCODE999',
    ])
    assert.deepEqual([23, 99].map(textOfExtendedError), ['network error', 'reason 99'])
    assert.deepEqual(textOfFlags(FLAG.QR | FLAG.RD | FLAG.AD), ['qr', 'rd', 'ad'])
  })

  it('are read in any case, and nothing else is a type', () => {
    assert.equal(typeOfText('https'), TYPE.HTTPS)
    assert.equal(typeOfText('Type65280'), 65_280)
    for (const none of ['', 'TYPE', 'TYPE65536', 'TYPE-1', '1', 'toString', 'AA']) {
      assert.equal(typeOfText(none), undefined, none)
    }
  })
})
