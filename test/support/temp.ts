/** Folders that go with the test that asked for them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A test context, as far as cleaning up needs it: `t` of node:test. */
export interface Cleanup {
  after(fn: () => void | Promise<void>): void
}

/** A new empty folder, removed when the test ends. */
export async function tempFolder(t: Cleanup, name = 'btl'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}
