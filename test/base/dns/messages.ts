/** Messages and names of tests: any sound ones, and mutations of them. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex, latin1 } from '../../../src/base/bytes.ts'
import { FLAG, TYPE } from '../../../src/base/dns/codes.ts'
import type { Edns, Message, ResourceRecord } from '../../../src/base/dns/message.ts'
import { type DnsName, nameOfLabels, nameOfText, ROOT } from '../../../src/base/dns/name.ts'
import {
  caaData,
  hinfoData,
  mxData,
  nameData,
  serviceData,
  soaData,
  srvData,
  txtData,
} from '../../../src/base/dns/record-data.ts'

export function named(text: string): DnsName {
  const name = nameOfText(text)
  assert.ok(name !== undefined, `${text} is no name`)
  return name
}

const anyLabel = fc.uint8Array({ minLength: 1, maxLength: 12 }).map(latin1)

export const anyName: fc.Arbitrary<DnsName> = fc
  .oneof(
    { weight: 3, arbitrary: fc.constantFrom('a.example', 'b.example', 'A.example', 'example') },
    { weight: 1, arbitrary: fc.constant('.') },
    { weight: 4, arbitrary: fc.array(anyLabel, { maxLength: 8 }) },
  )
  .map((value) => (typeof value === 'string' ? named(value) : (nameOfLabels(value) ?? ROOT)))

const anyWord = fc.integer({ min: 0, max: 0xffff })
const anyBytes = fc.uint8Array({ maxLength: 40 })
const anyLong = fc.integer({ min: 0, max: 0xffffffff })

const anyData: fc.Arbitrary<{ type: number; data: Uint8Array }> = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((data) => ({ type: TYPE.A, data })),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((data) => ({ type: TYPE.AAAA, data })),
  fc
    .tuple(fc.constantFrom(TYPE.NS, TYPE.CNAME, TYPE.PTR, TYPE.DNAME), anyName)
    .map(([type, name]) => ({ type, data: nameData(name) })),
  fc
    .array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 })
    .map((strings) => ({ type: TYPE.TXT, data: txtData(strings) })),
  fc
    .record({
      primary: anyName,
      mailbox: anyName,
      serial: anyLong,
      refresh: anyLong,
      retry: anyLong,
      expire: anyLong,
      minimum: anyLong,
    })
    .map((soa) => ({ type: TYPE.SOA, data: soaData(soa) })),
  fc
    .record({ priority: anyWord, weight: anyWord, port: anyWord, target: anyName })
    .map((srv) => ({ type: TYPE.SRV, data: srvData(srv) })),
  fc.tuple(anyWord, anyName).map(([rank, name]) => ({ type: TYPE.MX, data: mxData(rank, name) })),
  fc
    .record({
      priority: anyWord,
      target: anyName,
      params: fc
        .uniqueArray(fc.record({ key: anyWord, value: anyBytes }), {
          maxLength: 5,
          selector: ({ key }) => key,
        })
        .map((params) => params.toSorted((a, b) => a.key - b.key)),
    })
    .map((service) => ({ type: TYPE.HTTPS, data: serviceData(service) })),
  fc.constant({ type: TYPE.CAA, data: caaData(0, 'issue', 'ca.example') }),
  fc.constant({ type: TYPE.HINFO, data: hinfoData('RFC8482', '') }),
  fc
    .tuple(fc.integer({ min: 0x100a, max: 0xfffe }), anyBytes)
    .map(([type, data]) => ({ type, data })),
)

const anyRecord: fc.Arbitrary<ResourceRecord> = fc
  .record({
    name: anyName,
    class: fc.constantFrom(1, 1, 1, 3, 0x8001),
    ttl: fc.integer({ min: 0, max: 0x7fffffff }),
    data: anyData,
  })
  .map(({ data, ...record }) => ({ ...record, ...data }))

const anySection = fc.array(anyRecord, { maxLength: 6 })

const anyEdns: fc.Arbitrary<Edns> = fc.record({
  payloadBytes: anyWord,
  version: fc.constant(0),
  dnssecOk: fc.boolean(),
  options: fc.array(fc.record({ code: anyWord, data: anyBytes }), { maxLength: 4 }),
})

/** Any message that can be written, as it has to come back. */
export const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    id: anyWord,
    flags: anyWord.map((word) => word & ~(15 | FLAG.TC | 0x7800)),
    rcode: fc.integer({ min: 0, max: 15 }),
    questions: fc.array(fc.record({ name: anyName, type: anyWord, class: anyWord }), {
      maxLength: 3,
    }),
    answers: anySection,
    authority: anySection,
    additional: anySection,
    edns: fc.option(anyEdns, { nil: undefined }),
  })
  .map(({ edns, ...message }) => (edns === undefined ? message : { ...message, edns }))

/** Packets that real programs wrote, by what they are. */
export const captured = {
  'a query of dig with a cookie': fromHex(
    '33ba0120000100000000000103777777074578616d706c6503636f6d000001000100002904d000000000000c000a0008299d23d41437384b',
  ),
  'a query of dig with DO and a client subnet': fromHex(
    '725d01200001000000000001076578616d706c65036f7267000041000100002904d00000800000170008000700011800c00002000a0008904651eed57b03d6',
  ),
  'a query of kdig without EDNS': fromHex(
    '04f101200001000000000000076578616d706c65036e657400001c0001',
  ),
  'a query of kdig in class CH with padding': fromHex(
    `1347012000010000000000010776657273696f6e0462696e6400001000030000291000000000000044000c0040${'00'.repeat(64)}`,
  ),
  'a CNAME and its address by knot': fromHex(
    'beef8500000100020000000103777777076578616d706c6503636f6d0000010001c00c000500010000012c000603776562c010c02d000100010000012c0004c000025000002904d0000080000000',
  ),
  'an MX with an additional address by knot': fromHex(
    'beef85000001000100000002076578616d706c6503636f6d00000f0001c00c000f00010000012c0009000a046d61696cc00cc02b000100010000012c0004c000021900002904d0000080000000',
  ),
  'an SOA by knot': fromHex(
    'beef85000001000100000001076578616d706c6503636f6d0000060001c00c000600010000012c0027036e7331c00c0a686f73746d6173746572c00c78c275f500001c2000000e10001275000000012c00002904d0000080000000',
  ),
  'a TXT of two strings by knot': fromHex(
    'beef85000001000100000001076578616d706c6503636f6d0000100001c00c001000010000012c001c0b763d73706631202d616c6c0f7365636f6e642022737472696e672200002904d0000080000000',
  ),
  'an HTTPS with hints by knot': fromHex(
    'beef8500000100010000000103776562076578616d706c6503636f6d0000410001c00c004100010000012c00290001000001000602683202683300040004c00002500006001020010db800000000000000000000008000002904d0000080000000',
  ),
  'an SRV whose target is not compressed by knot': fromHex(
    'beef85000001000100000002045f736970045f746370076578616d706c6503636f6d0000210001c00c002100010000012c00170000000513c403736970076578616d706c6503636f6d00c039000100010000012c0004c000023c00002904d0000080000000',
  ),
  'an NXDOMAIN with its SOA by knot': fromHex(
    'beef85030001000000010001046e6f7065076578616d706c6503636f6d0000010001c011000600010000012c0027036e7331c0110a686f73746d6173746572c01178c275f500001c2000000e10001275000000012c00002904d0000080000000',
  ),
  'two NS with their addresses by knot': fromHex(
    'beef85000001000200000003076578616d706c6503636f6d0000020001c00c000200010000012c0006036e7331c00cc00c000200010000012c0011036e7332076578616d706c65036e657400c029000100010000012c0004c0000201c029001c00010000012c001020010db800000000000000000000000100002904d0000080000000',
  ),
  'a NAPTR by knot': fromHex(
    'beef85000001000100000001016e076578616d706c6503636f6d0000230001c00c002300010000012c002b0064000a0155074532552b7369701b215e2e2a24217369703a696e666f406578616d706c652e636f6d210000002904d0000080000000',
  ),
  'a type of private use by knot': fromHex(
    'beef8500000100010000000103756e6b076578616d706c6503636f6d00ff000001c00cff0000010000012c00040a00000100002904d0000080000000',
  ),
  'a CAA by knot': fromHex(
    'beef85000001000100000001076578616d706c6503636f6d0001010001c00c010100010000012c00150005697373756563612e6578616d706c652e6e657400002904d0000080000000',
  ),
} as const
