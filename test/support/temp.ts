/** Folders that go with the test that asked for them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A test context, as far as cleaning up needs it: `t` of node:test. */
export interface Cleanup {
  after(fn: () => void | Promise<void>): void
}

const stacks = new WeakMap<Cleanup, (() => void | Promise<void>)[]>()

/** Cleans up when the test ends, what came last first: node:test would begin with the first. */
export function finallyDo(t: Cleanup, fn: () => void | Promise<void>): void {
  const known = stacks.get(t)
  if (known) {
    known.push(fn)
    return
  }
  const stack = [fn]
  stacks.set(t, stack)
  t.after(async () => {
    const failures: unknown[] = []
    for (let next = stack.pop(); next; next = stack.pop()) {
      try {
        await next()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'cleaning up failed')
  })
}

/** A new empty folder, removed when the test ends. */
export async function tempFolder(t: Cleanup, name = 'btl'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  finallyDo(t, () => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
