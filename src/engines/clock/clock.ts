/** Says how far the machine's clock can be relied on: a board without a battery does not know the day. */
import { messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import { dayOf, soundTime } from '../../base/sound-time.ts'
import { kernelSays, PLACES, type Places, timesyncSays, writtenAt } from './sources.ts'
import { readStamp, writeStamp } from './stamp.ts'

/**
 * `synced`: a time server has confirmed it. `floor`: it can be right, and is not before what is known
 * to have passed. `unset`: it cannot be right.
 */
export type ClockState = 'unset' | 'floor' | 'synced'

export interface ClockView {
  state: ClockState
  /** Unix ms, as the machine says. */
  now: number
  /** Unix ms: it is later than that. */
  floor: number
  /** Whether anything on this machine could tell us that a server confirmed the time. */
  isAsked: boolean
}

export interface HouseClockDeps {
  clock: Clock
  log: Log
  /** Where the last confirmed time is kept; its folder is there. */
  file: string
  /** Any file of the package: it was built when this was written. */
  builtFile: string
  places?: Partial<Places>
}

export interface HouseClock extends Component {
  view(): ClockView
  /** The machine's clock, with what is known of it. */
  readonly time: Clock
  stats(): Stats
}

// A file may be a little ahead of the clock that was set after it was written.
const TOLERANCE_MS = 600_000
// A minute late to notice costs nothing.
const LOOK_MS = 60_000
// Asking the kernel starts two processes, of which one lingers.
const KERNEL_LOOKS = 10
// Four small writes a day, for a card that bears few.
const STAMP_MS = 6 * 3_600_000

export function createHouseClock(deps: HouseClockDeps): HouseClock {
  const { clock, log, file, builtFile } = deps
  const places: Places = { ...PLACES, ...deps.places }
  let timer: NodeJS.Timeout | undefined
  let kernel: boolean | undefined
  let looks = 0
  let stamp = 0
  let last: ClockState | undefined
  let looking = Promise.resolve()

  const isSynced = (): boolean | undefined => timesyncSays(places) ?? kernel

  const knownFloor = (): number =>
    Math.max(writtenAt(builtFile), writtenAt(places.epoch), writtenAt(places.saved), stamp)

  function view(): ClockView {
    const { isSound, now: sound } = soundTime(clock)
    const synced = isSynced()
    const now = clock.now()
    const found = knownFloor()
    const isAsked = synced !== undefined
    // A file from a day when the clock was years ahead must not say that it stands still today.
    if (synced === true && isSound)
      return { state: 'synced', now, floor: Math.min(found, now), isAsked }
    const floor = soundTime({ now: () => found }).isSound ? found : sound
    const isPast = isSound && now >= floor - TOLERANCE_MS
    return { state: isPast ? 'floor' : 'unset', now, floor, isAsked }
  }

  async function look(): Promise<void> {
    const isTurn = looks++ % KERNEL_LOOKS === 0
    if (isTurn && timesyncSays(places) === undefined) kernel = await kernelSays(places)
    const { state, now, floor } = view()
    if (state !== last) {
      const said = { state, now: new Date(now).toISOString(), floor: dayOf(floor) }
      if (state === 'unset') log.warn(said, 'the clock cannot be right')
      else log.info(said, 'the clock')
      last = state
    }
    // Only what a server confirmed: a clock once set years ahead would else be believed for ever.
    if (state !== 'synced' || Math.abs(now - stamp) < STAMP_MS) return
    await writeStamp(file, now)
    stamp = now
  }

  function lookAgain(): Promise<void> {
    looking = looking
      .then(look)
      .catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'cannot keep the time'))
    return looking
  }

  return {
    name: 'clock',
    async start(signal) {
      signal.throwIfAborted()
      stamp = readStamp(file)
      await lookAgain()
      timer = setInterval(() => void lookAgain(), LOOK_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      await looking
    },
    view,
    time: {
      now: () => clock.now(),
      isDoubtful: () => {
        const { state, isAsked } = view()
        return isAsked && state !== 'synced'
      },
    },
    health() {
      const { state, now, floor, isAsked } = view()
      if (state === 'unset') {
        const detail = `the clock says ${dayOf(now)}, and it is ${dayOf(floor)} at least: no time server has set it yet`
        return { status: 'degraded', score: 70, detail }
      }
      if (state === 'synced' || !isAsked) return { status: 'ok', score: 100 }
      return { status: 'ok', score: 90, detail: 'no time server has confirmed the clock yet' }
    },
    stats() {
      const { state, now, floor } = view()
      return {
        state_unset: Number(state === 'unset'),
        state_floor: Number(state === 'floor'),
        state_synced: Number(state === 'synced'),
        floor_seconds: Math.floor(floor / 1000),
        time_seconds: Math.floor(now / 1000),
      }
    },
  }
}
