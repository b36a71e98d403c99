/** `btlinkd serve` without a role: all roles as children of this process. */
import { type ChildProcess, fork } from 'node:child_process'
import { codeOf, messageOf } from '../../base/errors.ts'
import { createLog } from '../log-lines.ts'
import { createRunFolder } from '../run-folder.ts'
import { rolesOf } from '../serve-args.ts'
import { loadInChild } from './load-in-child.ts'
import type { StartMessage } from './role.ts'
import { createSupervisor } from './supervisor.ts'

/** The same file in the compiled tree (`.js`) and in the sources (`.ts`). */
const sibling = (name: string): URL =>
  new URL(`${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

// A household box has little memory: all roles idle weigh 233 MB without these, 215 MB with them
// (npm run bench:memory), and the gateway keeps its distance to nginx (npm run bench:gateway).
const ROLE_FLAGS = ['--max-semi-space-size=4', '--optimize-for-size']
// glibc gives every thread an arena of its own to grow; two are enough for Node's thread pool.
const ROLE_ENVIRONMENT = { MALLOC_ARENA_MAX: '2' }

function forkRole(role: string, start: StartMessage, args: readonly string[]): ChildProcess {
  const child = fork(sibling('../main'), ['serve', '--role', role, ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, ...ROLE_FLAGS],
    env: { ...ROLE_ENVIRONMENT, ...process.env, BTL_SUPERVISED: '1' },
  })
  child.send(start)
  return child
}

/** @param args the flags of `serve`, handed on to the roles */
export async function serveSupervised(args: readonly string[]): Promise<number> {
  const config = await loadInChild(args)
  if (typeof config === 'number') return config
  const log = createLog('serve', config.log)
  const folder = createRunFolder(config.state_dir, 'serve')
  try {
    // Held here as well as by each role, so that a second daemon says so once.
    await folder.start(new AbortController().signal)
  } catch (error) {
    log.error({ code: codeOf(error) ?? 'none', error: messageOf(error) }, 'cannot start')
    return 1
  }
  const supervisor = createSupervisor(rolesOf(config), {
    spawn: (role, isRestart) => forkRole(role, { config, isRestart }, args),
    log,
    onReady(banners) {
      if (banners.length > 0) process.stdout.write(`\n${banners.join('\n')}\n\n`)
    },
  })
  let asked = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    // A second Ctrl-C is a person who does not want to wait.
    if (++asked > 1) process.exit(130)
    log.info({ signal }, 'stopping')
    supervisor.stop()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  const code = await supervisor.run()
  await folder.stop()
  log.info({ code }, 'stopped')
  return code
}
