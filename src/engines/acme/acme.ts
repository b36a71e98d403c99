/** Certificates of a public authority: kept, ordered when they are missing, renewed before they end. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { messageOf, printable } from '../../base/errors.ts'
import type { Leaf } from '../../base/ports/cert-issuer.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Health, Stats } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import { DAY_MS, dayOf, soundTime } from '../../base/sound-time.ts'
import type { IssuedLeaf } from './chain.ts'
import { createChallenges } from './challenges.ts'
import type { AcmeOptions } from './config.ts'
import { BadSetting } from './errors.ts'
import { createHosts, type Wanted } from './hosts.ts'
import { createLedger } from './ledger.ts'
import { createOrderer, type Orderer } from './orderer.ts'
import { createShelf, type Shelf } from './shelf.ts'

export interface AcmeDeps {
  log: Log
  clock: Clock
  /** Where account, certificates and ledger are kept, a folder for each authority; made with mode 0700. */
  folder: string
}

export interface Acme extends Component {
  /**
   * The certificate for one host, where there is one in force; otherwise it is ordered, and until it is
   * there somebody else has to do. While it is in force the same object is returned.
   * @param host as in SNI; case and one trailing dot do not matter
   */
  leaf(host: string): Leaf | undefined
  /** Whether this host may have a certificate of the authority. */
  serves(host: string): boolean
  /** Answers the authority's question over HTTP; false for everything else. First in the chain. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  /** Shows it to the authority over TLS, where it asks there; undefined at all other times. */
  proof(host: string): Leaf | undefined
  /** Orders what is missing or due; resolves when the last order has ended, well or not. */
  renewDue(): Promise<void>
  stats(): Stats
}

const LOOK_MS = 60_000
// Renewals are tried from a third of the lifetime on: weeks before this, unless lifetimes are short.
const NEAR_END_MS = 7 * DAY_MS

/** Two thirds of the lifetime: 30 days before the end of one of 90. */
const renewAt = ({ notBefore, notAfter }: IssuedLeaf): number =>
  notAfter - (notAfter - notBefore) / 3

function checkDirectory(config: AcmeOptions): void {
  const { directory } = config
  const fail = (fault: string) => {
    throw new BadSetting('directory', printable(directory), fault)
  }
  if (!URL.canParse(directory)) fail('is no URL')
  const { protocol, username, password } = new URL(directory)
  // RFC 8555 §6.1.
  if (protocol !== 'https:') fail('does not begin with https://')
  if (username !== '' || password !== '') fail('has a password in it')
  if ((config.eab_key_id === '') !== (config.eab_hmac_key === '')) {
    throw new BadSetting('eab_key_id', printable(config.eab_key_id), 'needs eab_hmac_key as well')
  }
}

/** @throws BTL_ERR_ACME_BAD_SETTING */
export function createAcme(deps: AcmeDeps, config: AcmeOptions): Acme {
  const { log, clock } = deps
  const isOn = config.directory !== '' && config.terms_agreed
  if (isOn) checkDirectory(config)
  const hosts = createHosts(isOn ? config : { ...config, hosts: [], content_names: false })
  const challenges = createChallenges()
  const certificates = new Map<string, IssuedLeaf>()
  /** Issued longest ago first. */
  const contentNames = new Set<string>()
  let shelf: Shelf | undefined
  let orderer: Orderer | undefined
  let timer: NodeJS.Timeout | undefined
  let opening: Promise<void> | undefined
  let failure: string | undefined

  function forget(name: string): void {
    certificates.delete(name)
    contentNames.delete(name)
    shelf?.remove(name).catch((error: unknown) => {
      log.warn({ host: name, reason: messageOf(error) }, 'a certificate cannot be removed')
    })
  }

  function keep({ name, kind }: Wanted, leaf: IssuedLeaf): void {
    certificates.set(name, leaf)
    if (kind === 'configured') return
    contentNames.delete(name)
    contentNames.add(name)
    const [oldest] = contentNames
    if (oldest !== undefined && contentNames.size > config.max_content_names) forget(oldest)
  }

  /** Whether it should be ordered now; the names of an entry may have changed since it was issued. */
  function isDue({ hosts: names }: Wanted, leaf: IssuedLeaf | undefined): boolean {
    if (!leaf || !names.every((name) => leaf.hosts.includes(name))) return true
    return soundTime(clock).now >= renewAt(leaf)
  }

  function look(): void {
    const { now, isSound } = soundTime(clock)
    if (!isSound) return
    // They are renewed when somebody asks, so these were not asked for in a long time.
    for (const name of contentNames) {
      if ((certificates.get(name)?.notAfter ?? 0) <= now) forget(name)
    }
    for (const wanted of hosts.configured) {
      if (isDue(wanted, certificates.get(wanted.name))) orderer?.order(wanted)
    }
  }

  async function readShelf(): Promise<void> {
    shelf = createShelf(deps.folder, config.directory, log)
    const ledger = createLedger(await shelf.ledger())
    for (const [name, leaf] of await shelf.load(soundTime(clock).now)) {
      const wanted = hosts.find(name)
      if (wanted?.name === name) keep(wanted, leaf)
    }
    orderer = createOrderer({ log, clock, shelf, ledger, challenges, onIssued: keep }, config)
    failure = undefined
  }

  /** Once, whoever else looks at the same time; again after a disk that could not be read. */
  function open(): Promise<void> {
    opening ??= readShelf().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function beat(): Promise<void> {
    try {
      await open()
      look()
    } catch (error) {
      const reason = messageOf(error)
      // It is tried every minute, maybe for days.
      if (reason !== failure) log.error({ reason }, 'no certificates of the authority')
      failure = reason
    }
  }

  function judgeHost(wanted: Wanted, now: number): [score: number, detail: string] | undefined {
    const leaf = certificates.get(wanted.name)
    const wait = orderer?.wait(wanted)
    const why = wait ? `: ${wait.reason}` : ''
    if (!leaf) return [wait ? 40 : 80, `no certificate for ${wanted.name} yet${why}`]
    if (leaf.notAfter <= now) return [20, `the certificate for ${wanted.name} ended${why}`]
    if (!wait || !isDue(wanted, leaf)) return undefined
    const score = leaf.notAfter - now < NEAR_END_MS ? 30 : 70
    return [score, `${wanted.name} ends on ${dayOf(leaf.notAfter)} and is not renewed${why}`]
  }

  function judge(): Health {
    if (!isOn) return { status: 'ok', score: 100 }
    if (failure !== undefined) return { status: 'degraded', score: 40, detail: failure }
    const { now, isSound } = soundTime(clock)
    const faults: [score: number, detail: string][] = []
    if (!isSound) faults.push([70, 'the clock cannot be right, nothing is ordered'])
    for (const wanted of hosts.configured) {
      const fault = judgeHost(wanted, now)
      if (fault) faults.push(fault)
    }
    if (faults.length === 0) return { status: 'ok', score: 100 }
    const score = Math.min(...faults.map(([points]) => points))
    const detail = faults
      .slice(0, 5)
      .map(([, text]) => text)
      .join('; ')
    return { status: 'degraded', score, detail }
  }

  return {
    name: 'acme',
    async start(signal) {
      signal.throwIfAborted()
      if (!isOn) {
        if (config.directory === '') return
        log.warn({}, 'acme.terms_agreed is not set: no certificates are ordered')
        return
      }
      timer = setInterval(() => void beat(), LOOK_MS)
      await beat()
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      // What it opens in these moments has to be closed as well.
      await opening?.catch(() => undefined)
      await orderer?.stop()
      orderer = undefined
      opening = undefined
      certificates.clear()
      contentNames.clear()
    },
    health: judge,
    leaf(host) {
      const wanted = isOn ? hosts.find(host) : undefined
      if (!wanted) return undefined
      const leaf = certificates.get(wanted.name)
      if (isDue(wanted, leaf)) orderer?.order(wanted)
      const isGood = leaf && leaf.notAfter > soundTime(clock).now && covers(leaf, host)
      return isGood ? leaf : undefined
    },
    serves: (host) => hosts.find(host) !== undefined,
    answer: (req, res) => challenges.answer(req, res),
    proof: (host) => challenges.proof(host),
    async renewDue() {
      if (timer === undefined) return
      await beat()
      await orderer?.idle()
    },
    stats() {
      const {
        ordered = 0,
        issued = 0,
        failed = 0,
        waiting = 0,
        heldBack = 0,
      } = orderer?.stats() ?? {}
      return {
        certificates: certificates.size,
        orders: ordered,
        orders_issued: issued,
        orders_failed: failed,
        orders_waiting: waiting,
        orders_held_back: heldBack,
        challenges_answered: challenges.stats().answered,
      }
    },
  }
}

/** An entry that got another name is renewed; until then the old certificate is for the old names only. */
function covers(leaf: Leaf, asked: string): boolean {
  const host = asked.toLowerCase().replace(/\.$/, '')
  return leaf.hosts.includes(host)
}
