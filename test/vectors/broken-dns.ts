/** DNS packets that are wrong in one way each, and what has to come of them. */
import { fromHex, joinBytes } from '../../src/base/bytes.ts'
import { RCODE } from '../../src/base/dns/codes.ts'
import type { Fault } from '../../src/base/dns/message.ts'

const { FORMERR, NOTIMP, BADVERS } = RCODE

/** Id 0xbeef, flags and four counts in hex, then the rest in hex; spaces are for the reader. */
const packet = (flagsAndCounts: string, ...rest: string[]): Uint8Array =>
  fromHex(['beef', flagsAndCounts, ...rest].join('').replaceAll(' ', ''))

const EXAMPLE = '07 6578616d706c65 03 636f6d 00'
const IN_A = '0001 0001'
const QUESTION = EXAMPLE + IN_A
const OPT = '00 0029 04d0 00000000 0000'
const LABEL_63 = `3f${'61'.repeat(63)}`

export interface BrokenQuery {
  what: string
  bytes: Uint8Array
  /** The rcode of the answer; undefined where there must be none. */
  rcode: number | undefined
}

const query = (what: string, rcode: number | undefined, bytes: Uint8Array): BrokenQuery => ({
  what,
  bytes,
  rcode,
})

const ONE = '0100 0001 0000 0000 0000'
const ONE_AND_MORE = '0100 0001 0000 0000 0001'

export const brokenQueries: readonly BrokenQuery[] = [
  query('is empty', undefined, new Uint8Array(0)),
  query('is one byte', undefined, fromHex('be')),
  query('is a header short of one byte', undefined, fromHex('beef010000010000000000')),
  query('is a response', undefined, packet('8180 0001 0000 0000 0000', QUESTION)),
  query('is a response of nothing', undefined, packet('8000 0000 0000 0000 0000')),
  query('is a response with all counts at the top', undefined, packet('8000 ffff ffff ffff ffff')),
  query('is an inverse query', NOTIMP, packet('0800 0000 0001 0000 0000', QUESTION)),
  query('asks for status', NOTIMP, packet('1000 0001 0000 0000 0000', QUESTION)),
  query('has the opcode nobody took', NOTIMP, packet('1800 0001 0000 0000 0000', QUESTION)),
  query('is a notify', NOTIMP, packet('2000 0001 0000 0000 0000', QUESTION)),
  query('is an update', NOTIMP, packet('2800 0001 0000 0001 0000', QUESTION)),
  query('is a stateful operation', NOTIMP, packet('3000 0000 0000 0000 0000')),
  query('has opcode 15', NOTIMP, packet('7800 0001 0000 0000 0000', QUESTION)),
  query('is a header that promises nothing', FORMERR, packet('0100 0000 0000 0000 0000')),
  query('is a header that promises a question', FORMERR, packet(ONE)),
  query('has two questions', FORMERR, packet('0100 0002 0000 0000 0000', QUESTION, QUESTION)),
  query('promises 65,535 questions', FORMERR, packet('0100 ffff 0000 0000 0000', QUESTION)),
  query('is twelve bytes with all counts at the top', FORMERR, packet('0100 ffff ffff ffff ffff')),
  query(
    'brings an answer',
    FORMERR,
    packet('0100 0001 0001 0000 0000', QUESTION, 'c00c', IN_A, '0000003c 0004 c0000201'),
  ),
  query(
    'brings an authority',
    FORMERR,
    packet('0100 0001 0000 0001 0000', QUESTION, 'c00c 0002 0001 0000003c 0002 c00c'),
  ),
  query(
    'promises 65,535 additional records',
    FORMERR,
    packet('0100 0001 0000 0000 ffff', QUESTION),
  ),
  query(
    'brings four additional records',
    FORMERR,
    packet('0100 0001 0000 0000 0004', QUESTION, '00 0001 0001 00000000 0000'.repeat(4)),
  ),
  query('promises OPT and ends', FORMERR, packet(ONE_AND_MORE, QUESTION)),
  query('says that it is truncated', FORMERR, packet('0300 0001 0000 0000 0000', QUESTION)),
  query('has a label of type 01', FORMERR, packet(ONE, `41 61 ${EXAMPLE}`, IN_A)),
  query('has a label of type 10', FORMERR, packet(ONE, `81 61 ${EXAMPLE}`, IN_A)),
  query('points at itself', FORMERR, packet(ONE, 'c00c', IN_A)),
  query('points forward', FORMERR, packet(ONE, 'c00e', EXAMPLE, IN_A)),
  query('points into the header', FORMERR, packet(ONE, '01 61 c002', IN_A)),
  query('points at its own first label', FORMERR, packet(ONE, '01 61 c00c', IN_A)),
  query('points in a circle of two', FORMERR, packet(ONE, 'c00e c00c', IN_A)),
  query('ends within a pointer', FORMERR, packet(ONE, '01 61 c0')),
  query('has a label that goes past the end', FORMERR, packet(ONE, '3f 61 62 63')),
  query('has a label of 64 bytes', FORMERR, packet(ONE, `40${'61'.repeat(64)}00`, IN_A)),
  query('has a name without its root', FORMERR, packet(ONE, '07 6578616d706c65 03 636f6d')),
  query(
    'has a name of 256 bytes',
    FORMERR,
    packet(ONE, LABEL_63.repeat(3), `3e${'61'.repeat(62)}`, '00', IN_A),
  ),
  query('has a name of 1024 bytes', FORMERR, packet(ONE, LABEL_63.repeat(16), '00', IN_A)),
  query('has 128 labels', FORMERR, packet(ONE, '01 61'.repeat(128), '00', IN_A)),
  query('has no type', FORMERR, packet(ONE, EXAMPLE)),
  query('has half a type', FORMERR, packet(ONE, EXAMPLE, '00')),
  query('has no class', FORMERR, packet(ONE, EXAMPLE, '0001')),
  query('has half a class', FORMERR, packet(ONE, EXAMPLE, '0001 00')),
  query('asks for OPT', FORMERR, packet(ONE, EXAMPLE, '0029 0001')),
  query('has OPT twice', FORMERR, packet('0100 0001 0000 0000 0002', QUESTION, OPT, OPT)),
  query(
    'has OPT under a name',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, '01 61 00 0029 04d0 00000000 0000'),
  ),
  query(
    'has OPT under a pointer',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, 'c018 0029 04d0 00000000 0000'),
  ),
  query(
    'has OPT with data past the end',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 00000000 0010 000a'),
  ),
  query('ends within OPT', FORMERR, packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 0000')),
  query(
    'has an option past the data of OPT',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 00000000 0006 000a 0008 1122 334455667788'),
  ),
  query(
    'has an option without a length',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 00000000 0002 000a'),
  ),
  query(
    'has 70 empty options',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 00000000 0118', 'fde90000'.repeat(70)),
  ),
  query('speaks EDNS 1', BADVERS, packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 00010000 0000')),
  query(
    'speaks EDNS 255 with options of its own',
    BADVERS,
    packet(ONE_AND_MORE, QUESTION, '00 0029 04d0 00ff8000 0003 ffffff'),
  ),
  query(
    'has an additional record that points forward',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, 'c0ff 0001 0001 00000000 0000'),
  ),
  query(
    'has an additional record with data past the end',
    FORMERR,
    packet(ONE_AND_MORE, QUESTION, '00 00fa 00ff 00000000 ffff 00'),
  ),
]

export interface BrokenResponse {
  what: string
  bytes: Uint8Array
  fault: Fault
}

/** An answer to example.com A with one record of this type and data. */
const withData = (type: string, data: string, declared?: number): Uint8Array => {
  const length = declared ?? fromHex(data.replaceAll(' ', '')).length
  return packet(
    '8180 0001 0001 0000 0000',
    QUESTION,
    'c00c',
    type,
    '0001 0000012c',
    length.toString(16).padStart(4, '0'),
    data,
  )
}

const response = (what: string, fault: Fault, bytes: Uint8Array): BrokenResponse => ({
  what,
  bytes,
  fault,
})

const A_RECORD = 'c00c 0001 0001 0000012c 0004 c0000201'

/** A name whose end is `jumps` pointers away. */
function chained(jumps: number): Uint8Array {
  const root = 12
  const parts = ['00', '0001', '0001']
  // One record of an unknown type holds the links; each points at the one before.
  let links = ''
  const first = root + 1 + 4 + 11
  for (let index = 0; index < jumps - 1; index++) {
    const target = index === 0 ? root : first + (index - 1) * 4
    links += `0161${(0xc000 | target).toString(16)}`
  }
  const last = first + (jumps - 2) * 4
  return packet(
    '8180 0001 0002 0000 0000',
    ...parts,
    '00 ff00 0001 00000000',
    (links.length / 2).toString(16).padStart(4, '0'),
    links,
    (0xc000 | last).toString(16),
    '0001 0001 00000000 0004 c0000201',
  )
}

/** Still sound: 16 jumps. */
export const longestChain = chained(16)

export const brokenResponses: readonly BrokenResponse[] = [
  response('is empty', 'short-header', new Uint8Array(0)),
  response('is a header short of one byte', 'short-header', fromHex('beef818000010000000000')),
  response('is a query', 'not-a-response', packet(ONE, QUESTION)),
  response('answers a notify', 'opcode', packet('a180 0001 0000 0000 0000', QUESTION)),
  response(
    'has two questions',
    'question-count',
    packet('8180 0002 0000 0000 0000', QUESTION, QUESTION),
  ),
  response('has all counts at the top', 'question-count', packet('8180 ffff ffff ffff ffff')),
  response(
    'is truncated and has two questions',
    'question-count',
    packet('8380 0002 0000 0000 0000', QUESTION, QUESTION),
  ),
  response(
    'is truncated within its question',
    'cut-short',
    packet('8380 0001 0000 0000 0000', EXAMPLE),
  ),
  response('promises 251 records', 'record-count', packet('8180 0001 00fb 0000 0000', QUESTION)),
  response(
    'promises 251 records in three sections',
    'record-count',
    packet('8180 0001 0053 0054 0054', QUESTION),
  ),
  response(
    'promises an answer and ends',
    'cut-short',
    packet('8180 0001 0001 0000 0000', QUESTION),
  ),
  response(
    'ends within a TTL',
    'cut-short',
    packet('8180 0001 0001 0000 0000', QUESTION, 'c00c 0001 0001 0000'),
  ),
  response(
    'ends within a length',
    'cut-short',
    packet('8180 0001 0001 0000 0000', QUESTION, 'c00c 0001 0001 0000012c 00'),
  ),
  response('has data past the end', 'cut-short', withData('0001', 'c0000201', 5)),
  response(
    'has data of 65,535 bytes that are not there',
    'cut-short',
    withData('ff00', '00', 65535),
  ),
  response('has an A of three bytes', 'record-data', withData('0001', 'c00002')),
  response('has an A of five bytes', 'record-data', withData('0001', 'c000020101')),
  response('has an empty A', 'record-data', withData('0001', '', 0)),
  response(
    'has an AAAA of fifteen bytes',
    'record-data',
    withData('001c', '20010db8'.padEnd(30, '0')),
  ),
  response('has a CNAME that points at itself', 'pointer-forward', withData('0005', 'c029')),
  response('has a CNAME that points forward', 'pointer-forward', withData('0005', 'c0ff')),
  response('has a CNAME into the header', 'pointer-into-header', withData('0005', 'c000')),
  response('has a CNAME longer than its name', 'record-data', withData('0005', 'c00c00')),
  response('has a CNAME that its length cuts', 'record-data', withData('0005', `01 61 c00c`, 3)),
  response('has an empty CNAME', 'cut-short', withData('0005', '', 0)),
  response('has a label of type 01 in a CNAME', 'label-type', withData('0005', '41 61 00')),
  response('has a label of type 10 in a PTR', 'label-type', withData('000c', '80 61 00')),
  response('has an MX of one byte', 'record-data', withData('000f', '00')),
  response('has an MX without a name', 'cut-short', withData('000f', '000a')),
  response('has an SOA without numbers', 'record-data', withData('0006', 'c00c c00c')),
  response(
    'has an SOA with a number too many',
    'record-data',
    withData('0006', `c00c c00c ${'00000001'.repeat(6)}`),
  ),
  response('has a TXT of nothing', 'record-data', withData('0010', '', 0)),
  response('has a TXT string past its data', 'record-data', withData('0010', '05 616263')),
  response('has a second TXT string past its data', 'record-data', withData('0010', '01 61 02 62')),
  response('has an HINFO of one string', 'record-data', withData('000d', '03 616263')),
  response('has an SRV without a target', 'cut-short', withData('0021', '0000 0005 13c4')),
  response('has an RP of one name', 'cut-short', withData('0011', 'c00c')),
  response(
    'has a NAPTR cut in its strings',
    'record-data',
    withData('0023', '0064 000a 01 55 07 4532'),
  ),
  response('has a compressed target in HTTPS', 'record-data', withData('0041', '0001 c00c')),
  response(
    'has params of HTTPS in disorder',
    'record-data',
    withData('0041', '0001 00 00030000 00010000'),
  ),
  response(
    'has a param of HTTPS twice',
    'record-data',
    withData('0041', '0001 00 00010000 00010000'),
  ),
  response(
    'has a param of HTTPS past its data',
    'record-data',
    withData('0041', '0001 00 0001 0009 026832'),
  ),
  response('has half a param in SVCB', 'cut-short', withData('0040', '0001 00 0001')),
  response('has a CAA without a tag', 'record-data', withData('0101', '00 00 6361')),
  response('has a CAA with a tag past its data', 'record-data', withData('0101', '00 09 6973')),
  response('has a CAA of one byte', 'record-data', withData('0101', '00')),
  response(
    'has OPT among the answers',
    'misplaced-opt',
    packet('8180 0001 0001 0000 0000', QUESTION, OPT),
  ),
  response(
    'has OPT in the authority section',
    'misplaced-opt',
    packet('8180 0001 0000 0001 0000', QUESTION, OPT),
  ),
  response(
    'has OPT under a name',
    'misplaced-opt',
    packet('8180 0001 0000 0000 0001', QUESTION, 'c00c 0029 04d0 00000000 0000'),
  ),
  response('has OPT twice', 'second-opt', packet('8180 0001 0000 0000 0002', QUESTION, OPT, OPT)),
  response(
    'has an option past the data of OPT',
    'opt-options',
    packet('8180 0001 0000 0000 0001', QUESTION, '00 0029 04d0 00000000 0005 000f 0004 00'),
  ),
  response(
    'has a byte after its end',
    'trailing-bytes',
    packet('8180 0001 0001 0000 0000', QUESTION, A_RECORD, '00'),
  ),
  response(
    'has another message after its end',
    'trailing-bytes',
    joinBytes([packet('8180 0001 0000 0000 0000', QUESTION), packet(ONE, QUESTION)]),
  ),
  response('has a name of 17 jumps', 'pointer-chain', chained(17)),
  response(
    'has a name that a pointer makes longer than 255 bytes',
    'name-too-long',
    packet(
      '8180 0001 0001 0000 0000',
      LABEL_63.repeat(3),
      '00',
      IN_A,
      LABEL_63,
      'c00c',
      '0001 0001',
    ),
  ),
  response(
    'has an answer named by a pointer that ends with the packet',
    'cut-short',
    packet('8180 0001 0001 0000 0000', QUESTION, 'c0'),
  ),
]
