/** The machine as the checks see it; every read is bounded, and every program ends with its check. */
import { execFile } from 'node:child_process'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine, Ran } from './ports.ts'

const MAX_BYTES = 1_048_576
const MAX_ENTRIES = 20_000
/** Where a daemon's PATH may not lead. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface MachineOptions {
  /** What stands before `/proc`, `/sys`, `/etc` and `/run`; empty is this machine. */
  root?: string
  /** Folders with programs, for tests with a stand-in; else the usual ones. */
  path?: string
}

export function createMachine({ root = '', path = '' }: MachineOptions = {}): Machine {
  const place = (absolute: string): string => (root === '' ? absolute : join(root, absolute))
  const searched = path === '' ? PATH : `${path}:${PATH}`

  return {
    isRoot: process.geteuid?.() === 0,
    path: place,
    async read(absolute) {
      try {
        const file = await open(place(absolute), 'r')
        try {
          // Files of /proc say a length of 0: they are read until they end.
          const chunks: Buffer[] = []
          for (let length = 0; length < MAX_BYTES; ) {
            const { bytesRead, buffer } = await file.read(Buffer.alloc(16_384), 0, 16_384, null)
            if (bytesRead === 0) break
            length += bytesRead
            chunks.push(buffer.subarray(0, bytesRead))
          }
          return Buffer.concat(chunks).toString('utf8')
        } finally {
          await file.close()
        }
      } catch {
        return undefined
      }
    },
    async list(absolute) {
      const entries = await readdir(place(absolute)).catch(() => [])
      return entries.slice(0, MAX_ENTRIES).sort()
    },
    run: (program, args, signal) =>
      new Promise<Ran | undefined>((resolve) => {
        const child = execFile(
          program,
          [...args],
          {
            signal,
            killSignal: 'SIGKILL',
            maxBuffer: MAX_BYTES,
            env: { PATH: searched, LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' },
          },
          (error, stdout, stderr) => {
            const isMissing = error && 'code' in error && error.code === 'ENOENT'
            resolve(isMissing ? undefined : { code: child.exitCode, stdout, stderr })
          },
        )
        child.stdin?.on('error', () => undefined)
        child.stdin?.end()
      }),
  }
}
