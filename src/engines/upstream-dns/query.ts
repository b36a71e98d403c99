/** The packet for a question, and whether an answer is one to it. */
import { randomBytes, randomInt } from 'node:crypto'
import { CLASS, FLAG, RCODE } from '../../base/dns/codes.ts'
import { decodeResponse } from '../../base/dns/decode-message.ts'
import { ourEdns, paddingOption } from '../../base/dns/edns.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import { mapNames } from '../../base/dns/map-names.ts'
import type { Message } from '../../base/dns/message.ts'
import { type DnsName, foldName } from '../../base/dns/name.ts'
import type { DnsQuestion } from '../../base/ports/dns-upstream.ts'

export interface QueryForm {
  /** Spell the name in random case (draft-vixie-dnsext-dns0x20). */
  randomCase?: boolean
  /** Off for servers that cannot bear it. */
  edns?: boolean
  /** Hide the length of the name: where only the length can be seen. */
  padded?: boolean
  /** RFC 8484 §4.1: 0 over HTTP, where the stream tells answers apart. */
  zeroId?: boolean
}

export interface SentQuery {
  id: number
  /** As it went out. */
  name: DnsName
  question: DnsQuestion
  bytes: Uint8Array
}

/** Names of the root and of digits have no case; every letter else doubles a forger's work. */
function inRandomCase(name: DnsName): DnsName {
  const bits = randomBytes(name.length)
  let spelled = ''
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    const isLetter = (code > 64 && code < 91) || (code > 96 && code < 123)
    spelled += String.fromCharCode(isLetter ? code ^ ((bits[at] ?? 0) & 32) : code)
  }
  return spelled as DnsName
}

export function makeQuery(question: DnsQuestion, form: QueryForm): SentQuery {
  const id = form.zeroId === true ? 0 : randomInt(0x10000)
  const name = form.randomCase === true ? inRandomCase(question.name) : question.name
  const message: Message = {
    id,
    flags: FLAG.RD | FLAG.AD | (question.checkingDisabled === true ? FLAG.CD : 0),
    rcode: RCODE.NOERROR,
    questions: [{ name, type: question.type, class: question.class }],
    answers: [],
    authority: [],
    additional: [],
  }
  if (form.edns !== false) message.edns = ourEdns([], question.dnssecOk === true)
  let { bytes } = encodeMessage(message)
  if (form.padded === true && message.edns !== undefined) {
    message.edns = { ...message.edns, options: [paddingOption(bytes.length)] }
    bytes = encodeMessage(message).bytes
  }
  return { id, name, question, bytes }
}

/** A question about nothing private, for asking a server whether it is there. */
export const PROBE: DnsQuestion = { name: '\0' as DnsName, type: 2, class: CLASS.IN }

export type Reading =
  | { kind: 'answer'; message: Message }
  /** Not to this query, or no message: somebody else's, late, or forged. */
  | { kind: 'stray'; why: string }
  /** To this query but in another case: a server that folds names, or a forger's guess. */
  | { kind: 'other-case' }

/** Reads what came back. Only the exact question counts (RFC 5452 §9.1). */
export function readAnswer(bytes: Uint8Array, sent: SentQuery): Reading {
  const decoded = decodeResponse(bytes)
  if (!decoded.ok) return { kind: 'stray', why: decoded.fault }
  const { message } = decoded
  if (message.id !== sent.id) return { kind: 'stray', why: 'its id is another' }
  const [asked] = message.questions
  // Servers too old for what we sent may say so in a header alone; that is no answer to believe in.
  if (asked === undefined) {
    return message.rcode === RCODE.NOERROR || message.rcode === RCODE.NXDOMAIN
      ? { kind: 'stray', why: 'it has no question' }
      : { kind: 'answer', message: emptied(message, sent) }
  }
  const { question } = sent
  if (asked.type !== question.type || asked.class !== question.class) {
    return { kind: 'stray', why: 'its question is another' }
  }
  if (asked.name === sent.name) return { kind: 'answer', message: respelled(message, sent) }
  return foldName(asked.name) === foldName(sent.name)
    ? { kind: 'other-case' }
    : { kind: 'stray', why: 'its question is another' }
}

const emptied = (message: Message, { question }: SentQuery): Message => ({
  ...message,
  questions: [{ name: question.name, type: question.type, class: question.class }],
  answers: [],
  authority: [],
  additional: [],
})

/** Undoes the random case, also in names that share an ending with the question. */
function respelled(message: Message, sent: SentQuery): Message {
  const { question } = sent
  if (sent.name === question.name) return message
  const back = (name: DnsName): DnsName => withEndingOf(name, sent.name, question.name)
  const records = (section: Message['answers']) => section.map((record) => mapNames(record, back))
  return {
    ...message,
    questions: [{ name: question.name, type: question.type, class: question.class }],
    answers: records(message.answers),
    authority: records(message.authority),
    additional: records(message.additional),
  }
}

/** `name` with the longest ending it shares with `sent` as `asked` has it. */
function withEndingOf(name: DnsName, sent: DnsName, asked: DnsName): DnsName {
  let inName = 0
  let inSent = 0
  while (inName < name.length && inSent < sent.length) {
    const left = name.length - inName
    const right = sent.length - inSent
    if (left === right && name.endsWith(sent.slice(inSent))) {
      return (name.slice(0, inName) + asked.slice(inSent)) as DnsName
    }
    if (left >= right) inName += 1 + name.charCodeAt(inName)
    if (right >= left) inSent += 1 + sent.charCodeAt(inSent)
  }
  return name
}
