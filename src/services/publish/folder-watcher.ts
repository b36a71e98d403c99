/**
 * Notices changes below a folder and calls once they settle. One inotify watch a folder; where the
 * system gives none (network mounts, no watches left) the folder is looked through instead.
 */
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PublishConfig } from './config.ts'
import { walkFolder } from './walk.ts'

export interface FolderWatcher {
  /** What was published last, so that a change before the first look is noticed. */
  start(fingerprint?: string): void
  stop(): Promise<void>
}

type WatcherConfig = Pick<
  PublishConfig,
  'watch_debounce' | 'watch_max_wait' | 'rescan_interval' | 'max_files'
>

const MIN_TICK_MS = 20
const MAX_TICK_MS = 250
// The folder itself may be moved away, and another one put in its place, without notice.
const ROOT_LOOK_MS = 1000
const MIN_RETRY_MS = 2000
const MAX_RETRY_MS = 300_000

export function createFolderWatcher(
  folder: string,
  config: WatcherConfig,
  onChange: (signal: AbortSignal) => Promise<void>,
  log: Log,
): FolderWatcher {
  const watches = new Map<string, FSWatcher>()
  const stopping = new AbortController()
  const now = (): number => performance.now()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let root: string | undefined
  let fingerprint: string | undefined
  let blind = false
  let rootLookAt = 0
  let rescanAt = 0
  let dirtySince: number | undefined
  let lastEventAt = 0
  let notBefore = 0
  let failures = 0
  let complaint = ''

  function touched(): void {
    lastEventAt = now()
    dirtySince ??= lastEventAt
    // What stood in the way may just have been put right.
    notBefore = 0
  }

  function failed(error: unknown): void {
    dirtySince ??= now()
    notBefore = now() + Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** failures++)
    const reason = messageOf(error)
    if (reason !== complaint) log.warn({ folder, reason }, 'a watched folder was not published')
    complaint = reason
  }

  function closeAll(): void {
    for (const each of watches.values()) each.close()
    watches.clear()
  }

  function watchOne(path: string): void {
    try {
      const made = watch(path, { persistent: false }, touched)
      made.on('error', () => {
        made.close()
        watches.delete(path)
        touched()
      })
      watches.set(path, made)
    } catch (error) {
      if (!blind) log.info({ folder, reason: messageOf(error) }, 'no notice of changes: looking')
      blind = true
    }
  }

  /** Looks through the folder, and watches the folders in it. Gives whether anything changed. */
  async function look(): Promise<boolean> {
    const found = await walkFolder(folder, config.max_files, stopping.signal)
    const folders = new Set(found.folders)
    for (const [path, each] of watches) {
      if (folders.has(path)) continue
      each.close()
      watches.delete(path)
    }
    blind = false
    for (const path of folders) if (!watches.has(path)) watchOne(path)
    rescanAt =
      now() + (blind ? Math.min(ROOT_LOOK_MS, config.rescan_interval) : config.rescan_interval)
    const changed = found.fingerprint !== fingerprint
    fingerprint = found.fingerprint
    return changed
  }

  /** Gives whether the folder is there; another one under its name counts as a change. */
  async function lookAtRoot(): Promise<boolean> {
    if (now() < rootLookAt) return root !== undefined
    rootLookAt = now() + ROOT_LOOK_MS
    const found = await stat(folder).catch(() => undefined)
    const identity = found?.isDirectory() ? `${found.dev}:${found.ino}` : undefined
    if (identity === root) return root !== undefined
    root = identity
    closeAll()
    rescanAt = 0
    if (identity === undefined) log.warn({ folder }, 'the watched folder is gone: waiting for it')
    return identity !== undefined
  }

  const isSettled = (): boolean =>
    dirtySince !== undefined &&
    now() >= notBefore &&
    (now() - lastEventAt >= config.watch_debounce || now() - dirtySince >= config.watch_max_wait)

  async function tick(): Promise<void> {
    if (!(await lookAtRoot())) return
    if (dirtySince === undefined && now() >= rescanAt && (await look())) touched()
    if (!isSettled()) return
    dirtySince = undefined
    // New folders are watched before they are read: what comes after the reading is noticed.
    await look()
    await onChange(stopping.signal)
    failures = 0
    complaint = ''
  }

  function run(): void {
    if (running) return
    running = tick()
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) failed(error)
      })
      .finally(() => {
        running = undefined
      })
  }

  return {
    start(published) {
      fingerprint = published
      const every = Math.min(MAX_TICK_MS, Math.max(MIN_TICK_MS, config.watch_debounce / 4))
      timer ??= setInterval(run, every)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await running
      closeAll()
    },
  }
}
