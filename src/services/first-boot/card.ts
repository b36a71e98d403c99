/** One file of the card as text, after a replacement of it that was cut off has been ended. */
import { basename, dirname } from 'node:path'
import { type BootFile, readBootFile } from './boot-file.ts'
import { finishReplacement } from './durable-file.ts'
import type { Told } from './report.ts'

export type { BootFile } from './boot-file.ts'

/** Undefined where it cannot be read; why is told. */
export async function finishedText(card: BootFile, told: Told): Promise<string | undefined> {
  let { read } = card
  if ('fault' in read && (await finishReplacement(card.path, card.bytes))) {
    const again = await readBootFile(
      dirname(card.path),
      [card.name],
      basename(card.name).toLowerCase(),
    )
    if (again) read = again.read
  }
  if ('text' in read) return read.text
  told.faults.push(`${card.name}: ${read.fault}`)
  return undefined
}
