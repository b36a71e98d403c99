/** Domains whose sites get https from a second root: those of the configuration, and what the owner said since. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeDurably } from '../../base/durable-file.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { LinkDomains } from '../../base/ports/cert-issuer.ts'
import type { Log } from '../../base/ports/log.ts'
import { TooManyDomains, Unwritable } from './errors.ts'

export interface LinkDomainList {
  /** Reads what the owner said, where it has not been read yet; a disk that fails is asked again later. */
  load(): Promise<void>
  /** All of them as far as they are known now. */
  all: () => readonly string[]
  parts(): LinkDomains
  /** Why it is not known what the owner said. */
  failure(): string | undefined
  /**
   * Keeps what `change` makes of what was said before. One at a time.
   * @throws Unwritable, TooManyDomains
   */
  state(change: (stated: readonly string[]) => readonly string[]): Promise<void>
}

interface LinkDomainDeps {
  /** Where the list is kept, one domain a line. */
  file: string
  log: Log
  clock: Clock
  configured: readonly string[]
  /** @throws where a root may not vouch for it */
  check(domain: string): void
}

/** All of them are written into one certificate, which every handshake carries. */
const MAX_DOMAINS = 50
/** As many of the longest. */
const MAX_FILE_BYTES = 16_384
/** As for the authorities: a handshake must not wait for a disk that is away. */
const RETRY_MS = 5000

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '')

export function createLinkDomains(deps: LinkDomainDeps): LinkDomainList {
  const { file, log, clock, configured } = deps
  let stated: readonly string[] | undefined
  let failure: { reason: string; at: number } | undefined
  let lastTurn: Promise<void> = Promise.resolve()

  function isSound(domain: string): boolean {
    try {
      deps.check(domain)
      return true
    } catch (error) {
      log.warn({ file, reason: messageOf(error) }, 'a link domain is left out')
      return false
    }
  }

  async function read(): Promise<readonly string[]> {
    try {
      const text = await readFile(file, 'utf8')
      return linesOf(text.slice(0, MAX_FILE_BYTES)).filter(isSound).slice(0, MAX_DOMAINS)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw new Unwritable(dirname(file), codeOf(error) ?? messageOf(error), { cause: error })
    }
  }

  async function load(): Promise<void> {
    if (stated || (failure && Math.abs(clock.now() - failure.at) < RETRY_MS)) return
    try {
      const found = await read()
      // What was said while the disk was read is newer.
      stated ??= found
      failure = undefined
    } catch (error) {
      const reason = messageOf(error)
      log[failure?.reason === reason ? 'debug' : 'error']({ reason }, 'no list of link domains')
      failure = { reason, at: clock.now() }
    }
  }

  async function write(domains: readonly string[]): Promise<void> {
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      const text = domains.map((domain) => `${domain}\n`).join('')
      await writeDurably(file, text, { mode: 0o600, fresh: `${file}.new` })
    } catch (error) {
      throw new Unwritable(dirname(file), codeOf(error) ?? messageOf(error), { cause: error })
    }
  }

  const all = (): readonly string[] => [...new Set([...configured, ...(stated ?? [])])]

  async function change(edit: (stated: readonly string[]) => readonly string[]): Promise<void> {
    const wanted = [...new Set(edit(stated ?? (await read())))].filter(
      (domain) => !configured.includes(domain),
    )
    for (const domain of wanted) deps.check(domain)
    const count = wanted.length + configured.length
    if (count > MAX_DOMAINS) throw new TooManyDomains(count, MAX_DOMAINS)
    await write(wanted)
    stated = wanted
    failure = undefined
  }

  return {
    load,
    all,
    parts: () => ({ configured, stated: stated ?? [] }),
    failure: () => failure?.reason,
    state(edit) {
      const turn = lastTurn.then(async () => change(edit))
      // A failed change must not stop the ones after it.
      lastTurn = turn.catch(() => undefined)
      return turn
    },
  }
}
