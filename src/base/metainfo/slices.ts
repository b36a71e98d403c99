/** Long checks as generators that stop every millisecond or so: run through at once, or politely. */
import { setImmediate } from 'node:timers/promises'
import { BadBencode } from '../bencode-reader.ts'
import { messageOf } from '../errors.ts'
import { BadMetainfo } from './errors.ts'

export type Slices<Result> = Generator<undefined, Result, undefined>

/** How long the event loop may be held in one go. */
const SLICE_MS = 5

function next<Result>(slices: Slices<Result>): IteratorResult<undefined, Result> {
  try {
    return slices.next()
  } catch (error) {
    if (error instanceof BadBencode) throw new BadMetainfo(messageOf(error), { cause: error })
    throw error
  }
}

export function runAtOnce<Result>(slices: Slices<Result>): Result {
  let step = next(slices)
  while (!step.done) step = next(slices)
  return step.value
}

/** Lets others run whenever 5 ms have passed. */
export async function runInSlices<Result>(
  slices: Slices<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  let began = performance.now()
  for (let step = next(slices); ; step = next(slices)) {
    if (step.done) return step.value
    if (performance.now() - began < SLICE_MS) continue
    await setImmediate()
    signal?.throwIfAborted()
    began = performance.now()
  }
}
