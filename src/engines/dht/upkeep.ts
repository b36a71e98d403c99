/** Work that comes round: pings of silent nodes, refreshes, expiry, saving. */
import type { FamilyNode } from './family-node.ts'
import type { RandomBytes } from './node-id.ts'

/** Silent nodes asked in one round; the background budget spreads them further. */
const PINGS_A_ROUND = 16
/** Two files, 300 KB with the journal of ext4, are 7 MB a day; an hour of new nodes is soon found again. */
const SAVE_EVERY_MS = 60 * 60_000
/** The first time sooner: a box that loses power on its first evening shall know its way back. */
const FIRST_SAVE_MS = 60_000
/** A refresh waits its turn in the budget, so one round may outlast the pause between two. */
const REFRESHES_A_ROUND = 4

export interface UpkeepDeps {
  families: readonly FamilyNode[]
  random: RandomBytes
  pauseMs: number
  /** Forgets what has expired. */
  sweep(): void
  /** Looks at the state of the whole node: bootstrap again, read-only or not. */
  review(): void
  save(): Promise<void>
}

export function createUpkeep(deps: UpkeepDeps) {
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let saveAt = performance.now() + FIRST_SAVE_MS

  async function tend(family: FamilyNode): Promise<void> {
    const table = family.table()
    const pings = table
      .questionable()
      .slice(0, PINGS_A_ROUND)
      .map(async (node) => family.askPatiently(node, { method: 'ping' }))
    await Promise.all(pings)
    for (const target of table.refreshTargets(deps.random).slice(0, REFRESHES_A_ROUND)) {
      const question = { method: 'find_node', target } as const
      await family.lookup({ target, question, width: 8, priority: 'background' }, stopping.signal)
    }
  }

  async function round(): Promise<void> {
    deps.sweep()
    deps.review()
    await Promise.all(deps.families.map(tend))
    if (performance.now() < saveAt) return
    saveAt = performance.now() + SAVE_EVERY_MS
    await deps.save()
  }

  function schedule(): void {
    timer = setTimeout(() => {
      running = round().finally(() => {
        running = undefined
        if (!stopping.signal.aborted) schedule()
      })
    }, deps.pauseMs)
  }

  return {
    start: schedule,
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
