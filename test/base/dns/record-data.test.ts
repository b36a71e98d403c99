import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toHex, utf8 } from '../../../src/base/bytes.ts'
import {
  addressData,
  caaData,
  hinfoData,
  mxData,
  nameData,
  readAddress,
  readNameData,
  readService,
  readTxt,
  SERVICE_KEY,
  serviceData,
  soaData,
  soaMinimum,
  srvData,
  txtData,
} from '../../../src/base/dns/record-data.ts'
import { named } from './messages.ts'

describe('the data of a record', () => {
  it('is one or more strings in TXT, long ones cut at 255 bytes', () => {
    const long = utf8('x'.repeat(600))
    const strings = readTxt(txtData([utf8('a'), long]))
    assert.deepEqual(
      strings.map((string) => string.length),
      [1, 255, 255, 90],
    )
    assert.equal(toHex(txtData([])), '00')
    assert.equal(toHex(txtData([utf8('')])), '00')
  })

  it('is a name in NS, CNAME and PTR', () => {
    assert.equal(readNameData(nameData(named('ns.btlink'))), named('ns.btlink'))
    assert.equal(readNameData(Uint8Array.of(5, 1)), undefined)
  })

  it('ends in the minimum in SOA', () => {
    const data = soaData({
      primary: named('ns.btlink'),
      mailbox: named('hostmaster.btlink'),
      serial: 1,
      refresh: 2,
      retry: 3,
      expire: 4,
      minimum: 60,
    })
    assert.equal(soaMinimum(data), 60)
    assert.equal(soaMinimum(data.subarray(0, 5)), 0)
  })

  it('is written as the RFCs have it', () => {
    assert.equal(toHex(mxData(10, named('m'))), '000a016d00')
    assert.equal(
      toHex(srvData({ priority: 0, weight: 5, port: 5060, target: named('s') })),
      '0000000513c4017300',
    )
    assert.equal(toHex(hinfoData('RFC8482', '')), '075246433834383200')
    assert.equal(toHex(caaData(0, 'issue', ';')), '000569737375653b')
  })

  it('is a target and params in HTTPS', () => {
    const service = {
      priority: 1,
      target: named('.'),
      params: [
        { key: 1, value: utf8('\x02h2') },
        { key: SERVICE_KEY.IPV4_HINT, value: Uint8Array.of(192, 0, 2, 1) },
      ],
    }
    const read = readService(serviceData(service))
    assert.equal(read?.target, service.target)
    assert.deepEqual(
      read?.params.map(({ key, value }) => [key, toHex(value)]),
      [
        [1, '026832'],
        [4, 'c0000201'],
      ],
    )
    for (const bytes of [[0], [0, 1, 1], [0, 1, 0, 0, 1, 0, 9, 1], [0, 1, 0, 0]]) {
      assert.equal(readService(Uint8Array.from(bytes)), undefined)
    }
  })
})

describe('an IP address', () => {
  for (const [text, hex, canonical] of [
    ['192.0.2.1', 'c0000201', '192.0.2.1'],
    ['0.0.0.0', '00000000', '0.0.0.0'],
    ['::', '00'.repeat(16), '::'],
    ['::1', `${'00'.repeat(15)}01`, '::1'],
    ['2001:DB8::0:1', '20010db8000000000000000000000001', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '00010000000000020000000000000003', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '00010000000200030004000500060007', '1:0:2:3:4:5:6:7'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201', '::ffff:c000:201'],
    ['64:ff9b::192.168.1.1', '0064ff9b0000000000000000c0a80101', '64:ff9b::c0a8:101'],
  ] as const) {
    it(`${text} is its bytes and one text`, () => {
      const bytes = addressData(text)
      assert.ok(bytes)
      assert.equal(toHex(bytes), hex)
      assert.equal(readAddress(bytes), canonical)
    })
  }

  for (const text of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::12345',
    '::g',
    'fe80::1%eth0',
    '1.2.3.4::',
    'localhost',
  ]) {
    it(`is not read from "${text}"`, () => {
      assert.equal(addressData(text), undefined)
    })
  }
})
