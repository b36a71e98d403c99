/** The command line on a state folder that no daemon runs on. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { run, type RunResult } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

export const LAUNCH = join(ROOT, 'src/app/launch.mjs')
export const env = { ...process.env, BTL_RUN_SOURCES: '1' }
export const SITE = `${'4a'.repeat(20)}-ih.btlink`

/** A state folder at rest: no daemon runs on it. */
export async function stateAtRest(t: Cleanup) {
  const state = await tempFolder(t, 'state')
  const cli = (args: string[], input?: string): Promise<RunResult> =>
    run(process.execPath, [LAUNCH, ...args, '--state', state], {
      cwd: state,
      env,
      ...(input !== undefined && { input }),
    })
  const json = async (args: string[], input?: string): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await cli([...args, '--json'], input)
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const root = async () =>
    ((await json(['ca', 'show']))['names'] as { sha256: string; pem: string }) ?? {}
  return { state, cli, json, root }
}

export const keysIn = async (place: string): Promise<string[]> =>
  (await readdir(place, { recursive: true })).filter((name) => name.endsWith('.key'))
