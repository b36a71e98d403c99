/** What the house's resolver answers, and why. */
import { randomInt } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { CLASS, FLAG, RCODE } from '../../base/dns/codes.ts'
import { decodeResponse } from '../../base/dns/decode-message.ts'
import { extendedErrors, ourEdns } from '../../base/dns/edns.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import type { Message, ResourceRecord } from '../../base/dns/message.ts'
import { type DnsName, nameOfText } from '../../base/dns/name.ts'
import {
  textOfClass,
  textOfData,
  textOfExtendedError,
  textOfFlags,
  textOfOwner,
  textOfRcode,
  textOfType,
  typeOfText,
} from '../../base/dns/presentation.ts'
import { printable } from '../../base/errors.ts'
import type { HouseDns } from '../../base/ports/house-dns.ts'
import { BadInput, NoResolver, ResolverSilent } from './errors.ts'

export interface DnsRouteDeps {
  /** Undefined where this box has none. */
  dns: Pick<HouseDns, 'answer' | 'explain'> | undefined
}

export interface RecordView {
  name: string
  ttl: number
  class: string
  type: string
  /** As in a zone file. */
  data: string
}

export interface DnsAnswerView {
  name: string
  type: string
  rcode: string
  flags: string[]
  answers: RecordView[]
  authority: RecordView[]
  additional: RecordView[]
  /** RFC 8914. */
  errors: { code: number; text: string }[]
  bytes: number
  milliseconds: number
  /** What answers now, memory left aside; absent where nothing does. */
  rule?: string
}

interface DnsQuery {
  name: string
  type?: string
  dnssec?: boolean
}
const dnsQuery = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    // 255 bytes, each as an escape of four characters.
    name: { type: 'string', minLength: 1, maxLength: 1024 },
    type: { type: 'string', minLength: 1, maxLength: 20 },
    dnssec: { type: 'boolean' },
  },
}
const anything = { type: 'object', additionalProperties: true }

function queryOf(name: DnsName, type: number, dnssecOk: boolean): Uint8Array {
  return encodeMessage({
    id: randomInt(0x10000),
    // RFC 6840 §5.7: AD in a query asks whether the answer was validated.
    flags: FLAG.RD | FLAG.AD,
    rcode: RCODE.NOERROR,
    questions: [{ name, type, class: CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
    edns: ourEdns([], dnssecOk),
  }).bytes
}

const recordView = ({ name, ttl, class: klass, type, data }: ResourceRecord): RecordView => ({
  name: textOfOwner(name),
  ttl,
  class: textOfClass(klass),
  type: textOfType(type),
  data: textOfData(type, data),
})

const sections = ({ answers, authority, additional }: Message) => ({
  answers: answers.map(recordView),
  authority: authority.map(recordView),
  additional: additional.map(recordView),
})

export function dnsRoutes(app: FastifyInstance, { dns }: DnsRouteDeps): void {
  app.get<{ Querystring: DnsQuery }>(
    '/api/dns',
    {
      schema: {
        summary: "What the house's resolver answers, and which rule said so",
        querystring: dnsQuery,
        response: { 200: anything },
      },
    },
    async ({ query }): Promise<DnsAnswerView> => {
      if (!dns) throw new NoResolver()
      const name = nameOfText(query.name)
      if (name === undefined) throw new BadInput(`"${printable(query.name)}" is no domain name`)
      const type = typeOfText(query.type ?? 'A')
      if (type === undefined) {
        throw new BadInput(`"${printable(query.type ?? '')}" is no type of records: A, TXT, TYPE65`)
      }
      const packet = queryOf(name, type, query.dnssec ?? false)
      const asked = performance.now()
      const reply = await dns.answer(packet)
      const milliseconds = Math.round((performance.now() - asked) * 10) / 10
      const decoded = reply && decodeResponse(reply)
      if (!reply || decoded?.ok !== true) throw new ResolverSilent()
      // It asks anew what memory answered, and may fail where memory does not.
      const explained = await dns.explain(packet).catch(() => undefined)
      const { message } = decoded
      return {
        name: textOfOwner(name),
        type: textOfType(type),
        rcode: textOfRcode(message.rcode),
        flags: textOfFlags(message.flags),
        ...sections(message),
        errors: extendedErrors(message.edns).map(({ code, text }) => ({
          code,
          text: text === '' ? textOfExtendedError(code) : text,
        })),
        bytes: reply.length,
        milliseconds,
        ...(explained && { rule: explained.handler }),
      }
    },
  )
}
