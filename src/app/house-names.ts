/** Ordinary DNS for the parts of the web role: asked of the house's resolver, with its memory and its rules. */
import { randomInt } from 'node:crypto'
import { CLASS, FLAG, RCODE, TYPE } from '../base/dns/codes.ts'
import { decodeResponse } from '../base/dns/decode-message.ts'
import { ourEdns } from '../base/dns/edns.ts'
import { encodeMessage } from '../base/dns/encode-message.ts'
import { nameOfText } from '../base/dns/name.ts'
import { readAddress } from '../base/dns/record-data.ts'
import { declareError } from '../base/errors.ts'
import type { Component, Stats } from '../base/ports/component.ts'
import type { DnsUpstream } from '../base/ports/dns-upstream.ts'
import type { DnsEndpoint, HouseDns } from '../base/ports/house-dns.ts'
import type { Log } from '../base/ports/log.ts'
import { createDnsUpstream } from '../engines/upstream-dns/index.ts'
import type { LinksOptions } from '../services/links/index.ts'
import type { Config } from './config/schema.ts'
import type { Lifetime } from './lifecycle.ts'
import { remoteHouseDns, remoteUpstream } from './roles/remote-ports.ts'
import { createRpcClient } from './roles/rpc-client.ts'
import { dnsSocket } from './run-folder.ts'
import { rolesOf } from './serve-args.ts'

export const NoAnswer = declareError(
  'BTL_ERR_APP_NO_DNS_ANSWER',
  "the box's resolver gave no answer",
  502,
)

type Ask = Pick<DnsUpstream, 'ask'>

/** The resolver in the place of an upstream server. */
export function askHouse(dns: Pick<HouseDns, 'answer'>): Ask {
  return {
    async ask({ name, type, class: klass, dnssecOk, checkingDisabled }, signal) {
      const query = encodeMessage({
        id: randomInt(0x10000),
        flags: FLAG.RD | (checkingDisabled === true ? FLAG.CD : 0),
        rcode: RCODE.NOERROR,
        questions: [{ name, type, class: klass }],
        answers: [],
        authority: [],
        additional: [],
        edns: ourEdns([], dnssecOk === true),
      })
      const reply = await dns.answer(query.bytes)
      signal?.throwIfAborted()
      const decoded = reply && decodeResponse(reply)
      if (decoded?.ok !== true) throw new NoAnswer()
      return { message: decoded.message, server: 'this box', transport: 'tcp', isTrusted: true }
    },
  }
}

/** Addresses of a name, those of IPv4 first; none where it has none. */
export function createLookup(dns: Ask) {
  return async (host: string, signal: AbortSignal): Promise<string[]> => {
    const name = nameOfText(host)
    if (name === undefined) return []
    const ask = async (type: number): Promise<string[]> => {
      const { message } = await dns.ask({ name, type, class: CLASS.IN }, signal)
      const { rcode } = message
      if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) throw new NoAnswer()
      return message.answers
        .filter((record) => record.type === type)
        .map(({ data }) => readAddress(data))
        .filter((address) => address !== undefined)
    }
    const found = await Promise.allSettled([ask(TYPE.A), ask(TYPE.AAAA)])
    const failure = found.find((one) => one.status === 'rejected')
    // One kind of address is enough.
    if (failure && found.every((one) => one.status === 'rejected')) throw failure.reason
    return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
  }
}

export interface Names extends Ask {
  /** The house's resolver; undefined where this box has none. */
  house: HouseDns | undefined
  /** In start order. */
  components: readonly Lifetime[]
  /** Whose health counts. */
  parts: readonly Pick<Component, 'name' | 'health'>[]
  endpoints(): Promise<readonly DnsEndpoint[]>
  /** By room. */
  stats(): Promise<Record<string, Stats>>
}

/** Ordinary DNS of a role that is not the resolver: asks that one, or servers outside where there is none. */
export function composeNames(config: Config, log: Log): Names {
  if (!rolesOf(config).includes('dns')) {
    const upstream = createDnsUpstream({ log }, config.upstream)
    return {
      ask: (question, signal) => upstream.ask(question, signal),
      house: undefined,
      components: [upstream],
      parts: [upstream],
      endpoints: async () => [],
      stats: async () => ({ 'upstream-dns': upstream.stats() }),
    }
  }
  const client = createRpcClient('dns', dnsSocket(config.state_dir))
  const house = remoteHouseDns(client)
  return {
    ...askHouse(house),
    house,
    components: [client],
    parts: [house, remoteUpstream(client)],
    endpoints: async () => Promise.resolve(house.listening()).catch(() => []),
    stats: async () => ({ dns: await house.stats() }),
  }
}

/** How both roles read link records. */
export const linksOptions = ({ btlink, dns, swarm }: Config): LinksOptions => ({
  tld: btlink.tld,
  link_records: dns.link_records,
  local_domains: dns.local_domains,
  allow_local: swarm.allow_local,
})
