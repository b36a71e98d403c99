/** What devices see of a box's certificates. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { createTestDaemon, type TestDaemon } from './daemon.ts'
import { run, type RunResult } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'

export const OPENSSL = '/usr/bin/openssl'

/** What a device asks for: a name of a torrent, whether the box finds it or not. */
export const site = (number: number): string => `${number.toString(16).padStart(40, 'b')}-ih.btlink`

export interface BoxRoot {
  /** Hex. */
  sha256: string
  pem: string
}

export async function rootOf(box: TestDaemon): Promise<BoxRoot> {
  const answer = await box.api('/api/trust')
  assert.equal(answer.status, 200, answer.text())
  return (answer.json() as { names: BoxRoot }).names
}

/** As a file, for programs that are told whom to trust. */
export async function rootFileOf(t: Cleanup, box: TestDaemon): Promise<string> {
  const file = join(await tempFolder(t, 'root'), 'root.pem')
  await writeFile(file, (await rootOf(box)).pem)
  return file
}

/** OpenSSL's client at the https port. */
export const sClient = (box: TestDaemon, ...args: string[]): Promise<RunResult> =>
  run(OPENSSL, ['s_client', '-connect', `127.0.0.1:${box.port('https')}`, ...args])

/** One box for all tests of the suite that this is called in. */
export function boxOfSuite(): () => TestDaemon {
  const undo: (() => void | Promise<void>)[] = []
  let box: TestDaemon | undefined
  before(async () => {
    box = await createTestDaemon({ after: (fn) => void undo.push(fn) })
  })
  after(async () => {
    for (const fn of undo) await fn()
  })
  return () => {
    if (!box) throw new Error('the box of the suite does not run')
    return box
  }
}
