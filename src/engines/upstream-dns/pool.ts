/** Lists of servers in which `system` stands for what the machine was told, and may change any time. */
import { readFile } from 'node:fs/promises'
import { UpstreamBadServer, UpstreamLoop } from './errors.ts'
import type { Now } from './health.ts'
import type { Server } from './server.ts'
import { isSystem, nameserversOf, parseServer, type ServerSpec } from './server-spec.ts'

export interface SystemServers {
  /** Addresses, as last read. */
  list(): readonly string[]
  /** Reads them again where that was a while ago. */
  refresh(): Promise<void>
}

const REREAD_MS = 10_000

/** What DHCP wrote into resolv.conf; without our own addresses, which may stand there for the others. */
export function createSystemServers(
  now: Now,
  isOwn: IsOwn,
  read: () => Promise<string> = async () => readFile('/etc/resolv.conf', 'utf8'),
): SystemServers {
  let readAt: number | undefined
  let addresses: string[] = []
  return {
    list: () => addresses,
    async refresh() {
      if (readAt !== undefined && now() - readAt < REREAD_MS) return
      readAt = now()
      const text = await read().catch(() => undefined)
      // A file that is just being replaced must not take our servers away.
      if (text === undefined) return
      addresses = nameserversOf(text).filter((address) => !isOwn(address, 53))
    },
  }
}

/** Whether an endpoint is one that our own resolver answers at. */
export type IsOwn = (address: string, port: number) => boolean

export interface PoolDeps {
  make(spec: ServerSpec): Server
  system: SystemServers
  isOwn: IsOwn
}

export interface Pool {
  /** Those of now, in order. */
  servers(): readonly Server[]
  close(): void
}

/** @throws UpstreamBadServer, UpstreamLoop */
export function createPool(written: readonly string[], deps: PoolDeps): Pool {
  const made = new Map<string, Server>()
  const specs = written.map((text) => (isSystem(text) ? undefined : parseServer(text)))
  for (const spec of specs) {
    if (spec?.address !== undefined && deps.isOwn(spec.address, spec.port)) {
      throw new UpstreamLoop(spec.text)
    }
  }
  let of: readonly string[] | undefined
  let current: Server[] = []

  function server(spec: ServerSpec): Server {
    const known = made.get(spec.text)
    if (known) return known
    const fresh = deps.make(spec)
    made.set(spec.text, fresh)
    return fresh
  }

  return {
    servers() {
      const addresses = deps.system.list()
      if (of === addresses) return current
      of = addresses
      const wanted = specs.flatMap((spec) => spec ?? addresses.map(parseServer))
      current = [...new Set(wanted.map(server))]
      for (const [text, old] of made) {
        if (current.includes(old)) continue
        made.delete(text)
        old.close()
      }
      return current
    },
    close() {
      for (const one of made.values()) one.close()
      made.clear()
      current = []
    },
  }
}

/** @throws UpstreamBadServer where an entry is not reached by address */
export function addressesOnly(written: readonly string[]): readonly string[] {
  for (const text of written) {
    if (!isSystem(text) && parseServer(text).address === undefined) {
      throw new UpstreamBadServer(text, 'a bootstrap server needs an address')
    }
  }
  return written
}
