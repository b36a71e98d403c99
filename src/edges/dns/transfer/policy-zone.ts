/**
 * `rpz.<tld>`: the zone of the household's own words, for resolvers in front of this one. It is copied
 * by them alone; they are told when it changes, and asked now and then whether they have it.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLASS, TYPE } from '../../../base/dns/codes.ts'
import type { ResourceRecord } from '../../../base/dns/message.ts'
import {
  type DnsName,
  foldName,
  isWithin,
  labelsOfName,
  nameOfLabels,
  ROOT,
} from '../../../base/dns/name.ts'
import { nameData, soaData } from '../../../base/dns/record-data.ts'
import { ipBytes, ipText } from '../../../base/ip-address.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { BoxAddresses } from '../box-addresses.ts'
import type { DnsConfig } from '../config.ts'
import { createLocalRecords } from '../handlers/local-records.ts'
import type { Handler } from '../reply.ts'
import { found, nameOf, noData, notThere, OUR_TTL } from '../zone.ts'
import { askHeld, type Front, notify, parseFront } from './front-talk.ts'
import { policyRecords } from './records.ts'
import { readTransferQuestion, transferStream } from './stream.ts'

const CHECK_MS = 10_000
/** A front that has the zone is asked again after so many checks: it may have lost it. */
const SETTLED_CHECKS = 6
const REFRESH_SECONDS = 300
const RETRY_SECONDS = 30
/**
 * 68 years: a front whose clock leaps from 1970 to today must not take its copy for expired, nor one
 * whose house is without us for a month.
 */
const EXPIRE_SECONDS = 0x7fffffff
const DIGEST_CHARACTERS = 16

export interface PolicyZoneDeps {
  log: Log
  tld: string
  /** Domains with servers of their own, folded. */
  routed: readonly DnsName[]
  /** Where the house finds the box. */
  house: () => BoxAddresses
  /** How often is looked whether something changed. */
  checkMs?: number | undefined
}

export interface PolicyZone extends Handler {
  start(): void
  stop(): Promise<void>
  /** The framed zone for a front that asks for it; undefined for others and for other questions. */
  transfer(packet: Uint8Array, from: string): Uint8Array | undefined
  readonly stats: { transfers: number; notified: number }
}

/** RFC 1982: whether serial `a` comes after `b`, round the end of the numbers. */
export const isLater = (a: number, b: number): boolean => a !== b && (a - b) >>> 0 < 0x80000000

interface Content {
  digest: string
  records: readonly ResourceRecord[]
}

interface FrontState extends Front {
  /** Checks until it is asked again. */
  rest: number
}

/** @throws DnsBadFront, DnsBadRecord */
export function createPolicyZone(deps: PolicyZoneDeps, config: DnsConfig): PolicyZone {
  const { log, house } = deps
  const name = foldName(nameOf(`rpz.${deps.tld}`))
  const local = createLocalRecords(config.records, config.link_records, name)
  const fronts: FrontState[] = config.front.map((text) => ({ ...parseFront(text), rest: 0 }))
  const addresses = new Set(fronts.map(({ address }) => address))
  const localDomains = config.local_domains
    .map((text) => foldName(nameOf(text)))
    .filter((domain) => !deps.routed.includes(domain))
  const stats = { transfers: 0, notified: 0 }
  const stopping = new AbortController()
  let running: Promise<void> | undefined
  // Only so that fronts which do not say what they have see a rise from run to run; see `settle`.
  let serial = Math.floor(Date.now() / 1000) >>> 0
  let content = read()

  function read(): Content {
    const records = policyRecords(name, {
      written: local.entries(),
      localDomains,
      wpad: config.wpad ? house() : undefined,
      canaries: config.canaries,
    })
    const hash = createHash('sha256')
    for (const { name: owner, type, data } of records) hash.update(`${owner} ${type} `).update(data)
    return { digest: `h${hash.digest('hex').slice(0, DIGEST_CHARACTERS)}`, records }
  }

  function soa(): ResourceRecord {
    const primary = nameOfLabels([content.digest, ...labelsOfName(name)]) ?? name
    const data = soaData({
      primary,
      mailbox: ROOT,
      serial,
      refresh: REFRESH_SECONDS,
      retry: RETRY_SECONDS,
      expire: EXPIRE_SECONDS,
      minimum: OUR_TTL,
    })
    return { name, type: TYPE.SOA, class: CLASS.IN, ttl: OUR_TTL, data }
  }

  const ns: ResourceRecord = {
    name,
    type: TYPE.NS,
    class: CLASS.IN,
    ttl: OUR_TTL,
    data: nameData(nameOf('localhost')),
  }
  const zone = () => ({ name, soa: soa(), ns })

  function follow(): void {
    const fresh = read()
    if (fresh.digest === content.digest) return
    content = fresh
    serial = (serial + 1) >>> 0
    for (const front of fronts) front.rest = 0
  }

  /**
   * Brings one front up to date. Our serial is not kept on a disk, and clocks start in 1970: what the
   * front holds is what the next one must come after.
   */
  async function settle(front: FrontState, signal: AbortSignal): Promise<void> {
    if (front.rest-- > 0) return
    const held = await askHeld(front, name, signal)
    if (held?.digest === content.digest) {
      if (isLater(held.serial, serial)) serial = held.serial
      front.rest = SETTLED_CHECKS
      return
    }
    if (held && !isLater(serial, held.serial)) serial = (held.serial + 1) >>> 0
    const isHeard = await notify(front, soa(), signal)
    if (isHeard) {
      stats.notified++
      log.debug({ front: front.address, serial }, 'told the resolver in front of its zone')
    }
    // Who does not say what it has cannot be asked whether it came; others are, at the next check.
    front.rest = isHeard && held === undefined ? SETTLED_CHECKS : 0
  }

  async function work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      follow()
      for (const front of fronts) await settle(front, signal)
      await sleep(deps.checkMs ?? CHECK_MS, undefined, { signal, ref: false }).catch(
        () => undefined,
      )
    }
  }

  return {
    name: 'policy-zone',
    stats,
    start() {
      running = work(stopping.signal)
    },
    async stop() {
      stopping.abort()
      await running
    },
    answer(asked) {
      const { folded, type } = asked.query
      if (!isWithin(folded, name)) return undefined
      if (folded !== name) return notThere(zone())
      if (type === TYPE.SOA) return found(asked, [soa().data])
      return type === TYPE.NS ? found(asked, [ns.data]) : noData(zone())
    },
    transfer(packet, from) {
      const bytes = ipBytes(from)
      if (bytes === undefined || !addresses.has(ipText(bytes))) return undefined
      const asked = readTransferQuestion(packet)
      if (asked?.query.folded !== name || asked.query.class !== CLASS.IN) return undefined
      follow()
      const edge = soa()
      stats.transfers++
      // RFC 1995 §2: one SOA says that there is nothing newer.
      const isCurrent = asked.held !== undefined && !isLater(serial, asked.held)
      const records = isCurrent ? [edge] : [edge, ns, ...content.records, edge]
      return transferStream(asked.query, records)
    },
  }
}
