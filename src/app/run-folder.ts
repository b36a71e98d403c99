/** `<state>/run`: sockets and listeners of the running roles. */
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Lifetime } from './lifecycle.ts'

// Reading and writing a socket in it is what drives the daemon: the folder's mode is the authority.
const FOLDER_MODE = 0o750

export const swarmSocket = (stateDir: string): string => join(stateDir, 'run', 'swarm.sock')
export const adminSocket = (stateDir: string): string => join(stateDir, 'run', 'admin.sock')

export function createRunFolder(stateDir: string): Lifetime {
  return {
    name: 'run folder',
    async start() {
      const folder = join(stateDir, 'run')
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
      await chmod(folder, FOLDER_MODE)
    },
    stop: () => Promise.resolve(),
  }
}
