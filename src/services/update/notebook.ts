/**
 * What the root side of updates has to tell the side that fetches: one small file that everyone may
 * read, because the slots themselves only root can see.
 */
import { readFile } from 'node:fs/promises'
import { codeOf } from '../../base/errors.ts'
import type { Slot } from '../../base/ports/slots.ts'
import { replaceFile } from './durable.ts'

const MAX_BYTES = 64 * 1024
const BOOTS: readonly unknown[] = ['good', 'trying', 'bad', 'incomplete'] satisfies Slot['boot'][]

export interface Notes {
  slots: Slot[]
  /** A version whose packs did not unpack here: it is fetched whole. */
  wholeOnly?: string
  /** When something was installed last, and what. */
  installed?: { version: string; at: string }
  /** Why the last installation failed. */
  failure?: { version: string; message: string; at: string }
}

const isSlot = (value: unknown): value is Slot => {
  const { version, isRunning, boot } = (value ?? {}) as Record<string, unknown>
  return typeof version === 'string' && typeof isRunning === 'boolean' && BOOTS.includes(boot)
}

/** No notes are the same as none that can be read: they are advice, not state. */
export async function readNotes(path: string): Promise<Notes> {
  let value: unknown
  try {
    const text = await readFile(path, 'utf8')
    value = text.length > MAX_BYTES ? undefined : JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) !== undefined) return { slots: [] }
    throw error
  }
  const { slots, wholeOnly, installed, failure } = (value ?? {}) as Partial<Notes>
  return {
    slots: Array.isArray(slots) ? slots.filter(isSlot) : [],
    ...(typeof wholeOnly === 'string' && { wholeOnly }),
    ...(typeof installed?.version === 'string' && { installed }),
    ...(typeof failure?.message === 'string' && { failure }),
  }
}

export const writeNotes = (path: string, notes: Notes): Promise<void> =>
  replaceFile(path, `${JSON.stringify(notes, undefined, 2)}\n`)
