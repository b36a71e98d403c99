/** The house's resolver as other parts of the box hold it. */
import type { Component, Stats } from './component.ts'

/** Which rule answered a question, and its answer as a DNS message. */
export interface DnsExplanation {
  handler: string
  /** Undefined where the rule is silence. */
  reply: Uint8Array | undefined
}

export interface DnsEndpoint {
  address: string
  /** UDP and TCP. */
  port: number
}

export interface HouseDns extends Component {
  /**
   * Answers a DNS message as a client on this machine gets it over TCP, from memory too; undefined for
   * what is no query.
   */
  answer(packet: Uint8Array): Promise<Uint8Array | undefined>
  /** Which rule answers it now, memory left aside; undefined for what is no query. */
  explain(packet: Uint8Array): Promise<DnsExplanation | undefined>
  /** Where it answers clients now. */
  listening(): readonly DnsEndpoint[] | Promise<readonly DnsEndpoint[]>
  stats(): Stats | Promise<Stats>
}
