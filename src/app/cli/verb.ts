/** What every verb is made of, and the words all of them share. */
import type { ParseArgsOptionsConfig } from 'node:util'
import { declareError } from '../../base/errors.ts'

export const BadUsage = declareError('BTL_ERR_CLI_USAGE', '%s', 400)

export type Flags = Record<string, string | boolean | undefined>

export interface VerbInput {
  positionals: string[]
  flags: Flags
  /** Prints what a person reads, or with `--json` the value. */
  print(text: string, value: unknown): void
  /** The state folder, from `--state`, environment or configuration. */
  stateDir(): Promise<string>
}

export interface Verb {
  /** After `btlinkd`: `publish DIR [--key NAME]`, one line a form. */
  usage: readonly string[]
  /** What it does, for `--help`. */
  help: string
  options: ParseArgsOptionsConfig
  /** How many arguments without a flag it takes. */
  takes: readonly [least: number, most: number]
  run(input: VerbInput): Promise<void>
}

/** A flag with a value, or undefined. */
export function valueOf(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

/** An argument that `takes` promised. */
export function argument(input: VerbInput, index: number): string {
  const value = input.positionals[index]
  if (value === undefined) throw new BadUsage(`argument ${index + 1} is missing`)
  return value
}
