import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Config } from '../config/schema.ts'

/** The same file in the compiled tree (`.js`) and in the sources (`.ts`). */
const CHILD = new URL(
  `./config-child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
)

/**
 * Reads the configuration in a process of its own: schema and YAML parser need not stay in memory.
 * @param args the flags of `serve`
 * @returns an exit code where there is none, after the child said why
 */
export async function loadInChild(args: readonly string[]): Promise<Config | number> {
  const child = fork(CHILD, [...args], { stdio: 'inherit' })
  const messages = once(child, 'message').then(([config]) => config as Config)
  const exit = once(child, 'exit').then(([code]) => (typeof code === 'number' ? code : 1))
  messages.catch(() => {})
  const first = await Promise.race([messages, exit])
  if (typeof first === 'object') await exit
  return first
}
