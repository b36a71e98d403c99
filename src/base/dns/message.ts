/** A DNS message as the rest of the house sees it (RFC 1035 §4). */
import type { DnsName } from './name.ts'

export interface Question {
  name: DnsName
  type: number
  /** With the flag of mDNS where it is set. */
  class: number
}

export interface ResourceRecord {
  name: DnsName
  type: number
  /** With the flag of mDNS where it is set. */
  class: number
  /** Seconds, 0 to 2^31 - 1. */
  ttl: number
  /**
   * As on the wire but with every name in it written out; bytes of unknown types as they came (RFC
   * 3597). A decoded one may be a view of the message.
   */
  data: Uint8Array
}

/** What a message says of its sender in OPT (RFC 6891). */
export interface EdnsOption {
  code: number
  data: Uint8Array
}

export interface Edns {
  /** The largest UDP message its sender takes, as it was said. */
  payloadBytes: number
  version: number
  dnssecOk: boolean
  options: readonly EdnsOption[]
}

export interface Message {
  id: number
  /** Opcode and flags as in the header, without the rcode; see `FLAG`. */
  flags: number
  /** 12 bits: with the upper ones of OPT. */
  rcode: number
  questions: readonly Question[]
  answers: readonly ResourceRecord[]
  authority: readonly ResourceRecord[]
  /** Without OPT. */
  additional: readonly ResourceRecord[]
  edns?: Edns
}

/** What is wrong with bytes that are no message. */
export type Fault =
  | 'short-header'
  | 'not-a-response'
  | 'opcode'
  | 'question-count'
  | 'record-count'
  | 'cut-short'
  | 'trailing-bytes'
  | 'label-type'
  | 'pointer-forward'
  | 'pointer-into-header'
  | 'pointer-chain'
  | 'name-too-long'
  | 'record-data'
  | 'second-opt'
  | 'misplaced-opt'
  | 'opt-options'
