/** The authority of one realm while the process lives: loaded or made when first asked for, kept, replaced. */
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Realm } from '../../base/ports/cert-issuer.ts'
import type { Log } from '../../base/ports/log.ts'
import { type Authority, type AuthorityFiles, makeAuthority, readAuthority } from './authority.ts'
import { Changed, Expired, NoAuthority, NotReady } from './errors.ts'
import type { Shelf } from './shelf.ts'
import { dayOf, soundTime } from '../../base/sound-time.ts'

/** A disk that was full or away may be back; asking it at every handshake would not help. */
const RETRY_MS = 5000

export interface RealmKeeper {
  readonly shelf: Shelf
  /** @throws NotReady, Expired, NoAuthority */
  authority(): Promise<Authority>
  /** Makes a new one and puts it in force, whatever state the old one is in. */
  renew(): Promise<Authority>
  /** Puts one that was made elsewhere in force, unless it is already. */
  replace(files: AuthorityFiles): Promise<Authority>
  /** Removes all of them with their keys for ever. */
  remove(): Promise<void>
  /** The one in memory and why there is none; asks no disk. */
  held(): { authority?: Authority; failure?: string }
}

interface RealmDeps {
  realm: Realm
  shelf: Shelf
  log: Log
  clock: Clock
  /** What a new root may vouch for; empty where the realm is off. */
  permitted: () => readonly string[]
  /** Another authority is in force from now on. */
  onReplaced(): void
}

export function createRealm(deps: RealmDeps): RealmKeeper {
  const { realm, shelf, log, clock, permitted } = deps
  let current: Authority | undefined
  let failure: { error: unknown; at: number } | undefined
  let loading: Promise<Authority> | undefined
  let lastTurn: Promise<unknown> = Promise.resolve()

  /** One at a time: what was read before a change must not be kept after it. */
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = lastTurn.then(work)
    lastTurn = turn.catch(() => undefined)
    return turn
  }

  async function load(): Promise<Authority> {
    if (current) return current
    for (let attempt = 1; ; attempt++) {
      const newest = await shelf.newest()
      const shelved = await shelf.current()
      if (shelved) return keep(shelved.authority)
      try {
        return await make(newest)
      } catch (error) {
        // A second start at the same moment was quicker: its authority is as good.
        if (!(error instanceof Changed) || attempt > 2) throw error
      }
    }
  }

  async function make(after: number): Promise<Authority> {
    const title = realm === 'names' ? 'btlink' : 'btlink links'
    const files = makeAuthority(title, permitted(), soundTime(clock).now)
    await shelf.add(files, after)
    const made = readAuthority(files)
    log.info(
      { realm, root: made.rootName, permitted: made.permitted },
      'made a certificate authority',
    )
    return keep(made)
  }

  function keep(authority: Authority): Authority {
    for (const fault of authority.faults) {
      log.warn({ realm, fault }, 'a spare intermediate is used, make a backup of the others')
    }
    current = authority
    failure = undefined
    return authority
  }

  function fail(error: unknown): never {
    const reason = messageOf(error)
    // It may be tried every five seconds for days.
    const level = failure && messageOf(failure.error) === reason ? 'debug' : 'error'
    failure = { error, at: clock.now() }
    log[level]({ realm, reason, code: codeOf(error) }, 'no certificate authority')
    throw notReady(error)
  }

  const notReady = (error: unknown) => new NotReady(messageOf(error), { cause: error })

  function checkOn(): void {
    if (permitted().length === 0) throw new NoAuthority(realm)
  }

  function checkEnd(authority: Authority): Authority {
    const { now, isSound } = soundTime(clock)
    const { notAfter } = authority.issuer
    if (isSound && now >= notAfter) {
      throw new Expired(shelf.folder, dayOf(notAfter))
    }
    return authority
  }

  async function change(work: () => Promise<Authority>): Promise<Authority> {
    const authority = await inTurn(work)
    deps.onReplaced()
    return authority
  }

  return {
    shelf,
    async authority() {
      checkOn()
      if (current) return checkEnd(current)
      // A clock that was set back must not make it wait for ever.
      if (failure && Math.abs(clock.now() - failure.at) < RETRY_MS) throw notReady(failure.error)
      loading ??= inTurn(load)
        .catch(fail)
        .finally(() => {
          loading = undefined
        })
      return checkEnd(await loading)
    },
    async renew() {
      checkOn()
      return change(async () => make(await shelf.newest()))
    },
    async replace(files) {
      const authority = readAuthority(files)
      if (current && current.root.raw.equals(authority.root.raw)) return current
      return change(async () => {
        await shelf.add(files, await shelf.newest())
        return keep(authority)
      })
    },
    async remove() {
      await inTurn(async () => {
        await shelf.clear()
        current = undefined
        failure = undefined
      })
      deps.onReplaced()
    },
    held: () => ({
      ...(current && { authority: current }),
      ...(failure && { failure: messageOf(failure.error) }),
    }),
  }
}
