/** The servers of the ordinary DNS that the house's resolver asks for what it does not know itself. */
import type { Message } from '../dns/message.ts'
import type { DnsName } from '../dns/name.ts'
import type { Component, Stats } from './component.ts'

export interface DnsQuestion {
  name: DnsName
  type: number
  class: number
  /** Also wants the records of DNSSEC (DO). */
  dnssecOk?: boolean
  /** Wants answers that failed validation too (CD). */
  checkingDisabled?: boolean
}

export interface DnsAnswer {
  /** Only what belongs to the question; its names are in the case they were asked in. */
  message: Message
  /** As it stands in the configuration. */
  server: string
  transport: 'udp' | 'tcp' | 'tls' | 'https'
  /** Whether its AD flag means something: nobody between it and us could have set it. */
  isTrusted: boolean
}

export interface DnsServerState {
  /** As it stands in the configuration. */
  server: string
  isUp: boolean
  /** Smoothed, in ms; undefined before the first answer. */
  roundTripMs: number | undefined
  answered: number
  failed: number
}

/** Asks, and does not remember: caching and coalescing are the caller's. */
export interface DnsUpstream extends Component {
  /**
   * Asks at most three times, of one server or several, by the configured strategy. An answer may be a
   * failure itself (SERVFAIL), where every server said so.
   * @throws BTL_ERR_UPSTREAM_DNS_TIMEOUT (504), BTL_ERR_UPSTREAM_DNS_UNREACHABLE (502), BTL_ERR_UPSTREAM_DNS_FULL (503)
   */
  ask(question: DnsQuestion, signal?: AbortSignal): Promise<DnsAnswer>
  servers(): DnsServerState[]
  stats(): Stats
}
