/** How many bytes a second may come and go: of everything, of each kind of peer, and other amounts at other hours. */
import type { Clock } from '../../../base/ports/clock.ts'
import { hoursAt } from './bandwidth-hours.ts'
import type { SwarmConfig } from '../config.ts'
import { createGate, type Gate, type PeerKind } from './gate.ts'
import { reachOf } from '../../../base/ip-reach.ts'

const LOOK_MS = 500

export interface Bandwidth {
  readonly down: Gate
  readonly up: Gate
  /** The own network is not limited, unless told so. */
  isExempt(host: string | undefined): boolean
  /** Resolves when `bytes` that came from `host` are paid for; at once where nothing limits them. */
  paced(kind: PeerKind, bytes: number, host: string, signal: AbortSignal): Promise<void> | undefined
  start(): void
  stop(): void
}

export type BandwidthConfig = Pick<
  SwarmConfig,
  | 'download_limit'
  | 'upload_limit'
  | 'tcp_download_limit'
  | 'tcp_upload_limit'
  | 'webrtc_download_limit'
  | 'webrtc_upload_limit'
  | 'web_seed_download_limit'
  | 'limit_schedule'
  | 'lan_exempt'
>

/** @param ticks milliseconds that only go forward */
export function createBandwidth(
  { clock, ticks = () => performance.now() }: { clock: Clock; ticks?: () => number },
  config: BandwidthConfig,
): Bandwidth {
  const down = createGate(ticks)
  const up = createGate(ticks)
  let holding = ''
  let timer: NodeJS.Timeout | undefined

  /** Sets the limits of this minute. */
  function look(): void {
    const { download_limit, upload_limit } =
      hoursAt(config.limit_schedule, new Date(clock.now())) ?? config
    const now = `${download_limit} ${upload_limit}`
    if (now === holding) return
    holding = now
    down.set({
      all: download_limit,
      tcp: config.tcp_download_limit,
      webrtc: config.webrtc_download_limit,
      webseed: config.web_seed_download_limit,
    })
    up.set({
      all: upload_limit,
      tcp: config.tcp_upload_limit,
      webrtc: config.webrtc_upload_limit,
      webseed: 0,
    })
  }

  const isExempt = (host: string | undefined): boolean => {
    if (!config.lan_exempt || host === undefined) return false
    const reach = reachOf(host)
    return reach === 'private' || reach === 'loopback'
  }

  async function pay(kind: PeerKind, bytes: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let owed = bytes
    const mover = {
      kind,
      ready: () => owed,
      move(most: number) {
        const part = Math.min(most, owed)
        owed -= part
        if (owed === 0) resolve()
        return part
      },
    }
    const onAbort = () => {
      owed = 0
      down.leave(mover)
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    down.ask(mover)
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  look()
  return {
    down,
    up,
    isExempt,
    paced(kind, bytes, host, signal) {
      if (down.isFree(kind) || isExempt(host)) return undefined
      return pay(kind, bytes, signal)
    },
    start() {
      look()
      if (config.limit_schedule.length > 0) timer ??= setInterval(look, LOOK_MS).unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
      down.stop()
      up.stop()
    },
  }
}
