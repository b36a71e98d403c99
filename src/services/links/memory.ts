/** What was found out about domains, bounded: a page may name any number of them, each with a long record. */
import type { LinkTarget } from '../../base/names/index.ts'

export interface Entry {
  /** Undefined where the domain has none. */
  target: LinkTarget | undefined
  /** When a server said so. */
  readAt: number
  until: number
  /** The servers could not be asked, and nothing older is known. */
  failure?: Error
}

export interface Memory {
  get(domain: string): Entry | undefined
  set(domain: string, entry: Entry): void
  clear(): void
  readonly size: number
  readonly bytes: number
}

const MAX_DOMAINS = 2000
const MAX_BYTES = 4 * 1024 * 1024
/** Of an entry without hints, roughly. */
const ENTRY_BYTES = 400

/** UTF-16, and each address an object of its own. */
const costOf = (domain: string, { target }: Entry): number =>
  ENTRY_BYTES + 2 * domain.length + (target ? 4 * JSON.stringify(target.hints).length : 0)

export function createMemory(): Memory {
  const entries = new Map<string, { entry: Entry; cost: number }>()
  let bytes = 0

  function remove(domain: string): void {
    bytes -= entries.get(domain)?.cost ?? 0
    entries.delete(domain)
  }

  return {
    get(domain) {
      const found = entries.get(domain)
      if (!found) return undefined
      // The longest unused go first.
      entries.delete(domain)
      entries.set(domain, found)
      return found.entry
    },
    set(domain, entry) {
      remove(domain)
      const cost = costOf(domain, entry)
      entries.set(domain, { entry, cost })
      bytes += cost
      for (const oldest of entries.keys()) {
        if ((entries.size <= MAX_DOMAINS && bytes <= MAX_BYTES) || oldest === domain) break
        remove(oldest)
      }
    },
    clear() {
      entries.clear()
      bytes = 0
    },
    get size() {
      return entries.size
    },
    get bytes() {
      return bytes
    },
  }
}
