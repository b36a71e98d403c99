/** The zone that every DNS server of the tests has, as a file and as records. */
import { CLASS, TYPE } from '../../src/base/dns/codes.ts'
import type { ResourceRecord } from '../../src/base/dns/message.ts'
import { type DnsName, nameOfText } from '../../src/base/dns/name.ts'
import {
  addressData,
  nameData,
  serviceData,
  soaData,
  txtData,
} from '../../src/base/dns/record-data.ts'
import { utf8 } from '../../src/base/bytes.ts'

export function named(text: string): DnsName {
  const name = nameOfText(text)
  if (name === undefined) throw new Error(`${text} is no name`)
  return name
}

/** 8 records of 200 characters: more than UDP carries. */
export const LONG_TEXTS = Array.from({ length: 8 }, (_, index) => `${index}${'x'.repeat(199)}`)

export const ZONE_FILE = `$ORIGIN example.test.
$TTL 300
@ IN SOA ns1 hostmaster 2026010101 7200 3600 1209600 60
@ NS ns1
ns1 A 192.0.2.1
www CNAME web
web A 192.0.2.80
web AAAA 2001:db8::80
web HTTPS 1 . alpn=h2 ipv4hint=192.0.2.80
Mixed.Case A 192.0.2.7
unknown TYPE65280 \\# 4 0A000001
${LONG_TEXTS.map((text) => `long TXT "${text}"`).join('\n')}
`

const SOA: ResourceRecord = {
  name: named('example.test'),
  type: TYPE.SOA,
  class: CLASS.IN,
  ttl: 60,
  data: soaData({
    primary: named('ns1.example.test'),
    mailbox: named('hostmaster.example.test'),
    serial: 2026010101,
    refresh: 7200,
    retry: 3600,
    expire: 1209600,
    minimum: 60,
  }),
}

const record = (name: string, type: number, data: Uint8Array): ResourceRecord => ({
  name: named(`${name}.example.test`),
  type,
  class: CLASS.IN,
  ttl: 300,
  data,
})

export const address = (text: string): Uint8Array => addressData(text) ?? new Uint8Array(0)

export const ZONE: readonly ResourceRecord[] = [
  record('www', TYPE.CNAME, nameData(named('web.example.test'))),
  record('web', TYPE.A, address('192.0.2.80')),
  record('web', TYPE.AAAA, address('2001:db8::80')),
  record(
    'web',
    TYPE.HTTPS,
    serviceData({
      priority: 1,
      target: named('.'),
      params: [
        { key: 1, value: utf8('\x02h2') },
        { key: 4, value: address('192.0.2.80') },
      ],
    }),
  ),
  record('Mixed.Case', TYPE.A, address('192.0.2.7')),
  record('unknown', 65280, Uint8Array.of(10, 0, 0, 1)),
  ...LONG_TEXTS.map((text) => record('long', TYPE.TXT, txtData([utf8(text)]))),
]

/** What an authority for the zone answers; `undefined` for names of other zones. */
export function answerOfZone(
  name: DnsName,
  type: number,
): { rcode: number; answers: ResourceRecord[]; authority: ResourceRecord[] } | undefined {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  if (!name.toLowerCase().endsWith(named('example.test'))) return undefined
  const answers: ResourceRecord[] = []
  let at: DnsName = name
  for (let links = 0; links < 8; links++) {
    const here = ZONE.filter((one) => same(one.name, at))
    const alias = here.find((one) => one.type === TYPE.CNAME)
    answers.push(...here.filter((one) => one.type === type).map((one) => ({ ...one, name: at })))
    if (alias === undefined || type === TYPE.CNAME) {
      const rcode = here.length === 0 && answers.length === 0 ? 3 : 0
      return { rcode, answers, authority: answers.length === 0 ? [SOA] : [] }
    }
    answers.push({ ...alias, name: at })
    at = Buffer.from(alias.data).toString('latin1') as DnsName
  }
  return undefined
}
