/** `btlinkd.yaml` of the card into the configuration of the box. */
import { dirname, join } from 'node:path'
import { rm } from 'node:fs/promises'
import { type BootFile, finishedText } from './card.ts'
import { readIfThere, replaceOnFat, writeDurably, type WriteOptions } from './durable-file.ts'
import { type Change, changesOf, nameOf } from './merge.ts'
import { configFileIn, type Places, takenIn } from './places.ts'
import type { Told } from './report.ts'
import { valueOfYaml, withChanges, withoutValues } from './yaml-text.ts'

export const CONFIG_NAME = 'btlinkd.yaml'

export interface SettingsDeps {
  places: Places
  /** Every mistake in a file, a line each, beginning with its path; none where the daemon can run on it. */
  check: (file: string) => Promise<string[]>
  /** Paths of the secrets that are set in a value of the configuration. */
  secretsIn: (value: unknown) => readonly (readonly string[])[]
  /** Group of the daemon. */
  gid?: number | undefined
}

/** The image has them; another value would leave the box without a place to write. */
const OWN = ['state_dir']
const MAX_TOLD = 20

const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (level, key) =>
      typeof level === 'object' && level !== null && Object.hasOwn(level, key)
        ? (level as Record<string, unknown>)[key]
        : undefined,
    value,
  )

const brief = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

export function createSettings(deps: SettingsDeps) {
  const { places, check, secretsIn, gid } = deps
  const file = configFileIn(places.etc)
  const options: WriteOptions = { mode: 0o640, folderMode: 0o750, gid }

  /** Mistakes of a text as if it lay on the card. */
  async function mistakesIn(text: string): Promise<string[]> {
    const trial = join(dirname(file), '.trial.yaml')
    try {
      await writeDurably(trial, text, options)
      return (await check(trial))
        .map((line) => line.replaceAll(trial, CONFIG_NAME))
        .slice(0, MAX_TOLD)
    } finally {
      await rm(trial, { force: true })
    }
  }

  const defaults = async (): Promise<string> => (await readIfThere(places.defaults)) ?? ''

  /** The configuration as it is, or as a new box has it where it cannot be read. */
  async function current(): Promise<{
    text: string
    value: Record<string, unknown>
    broken?: string
  }> {
    const text = await readIfThere(file)
    const value = text === undefined ? undefined : await valueOfYaml(text)
    if (text !== undefined && value !== undefined) return { text, value }
    const fresh = await defaults()
    return {
      text: fresh,
      value: (await valueOfYaml(fresh)) ?? {},
      ...(text !== undefined && { broken: text }),
    }
  }

  async function merge(value: Record<string, unknown>, told: Told): Promise<boolean> {
    const before = await readIfThere(takenIn(places.etc, CONFIG_NAME))
    const formerly = before === undefined ? {} : ((await valueOfYaml(before)) ?? {})
    const box = await current()
    const standard = await valueOfYaml(await defaults())
    const changes = changesOf(formerly, value, box.value)
      .filter(({ path }) => {
        const isOwn = OWN.includes(path[0] ?? '')
        const key = path.join('.')
        if (isOwn) told.faults.push(`${CONFIG_NAME}: ${key} is set by the image and was not taken`)
        return !isOwn
      })
      // A key that went from the card is the image's again.
      .map((change) => ({ ...change, value: change.value ?? valueAt(standard, change.path) }))
    const lost = changes.filter(
      (change): change is Change & { lost: { value: unknown } } =>
        change.lost !== undefined && !sameValue(change.lost.value, valueAt(standard, change.path)),
    )
    if (changes.length > 0 || box.broken !== undefined) {
      const merged = await withChanges(box.text, changes)
      const mistakes = await mistakesIn(merged)
      if (mistakes.length > 0) {
        told.faults.push(
          `${CONFIG_NAME} does not go together with the settings of the box:`,
          ...mistakes,
        )
        return false
      }
      const former = box.broken ?? (lost.length > 0 ? box.text : undefined)
      if (former !== undefined) await writeDurably(`${file}.before`, former, options)
      await writeDurably(file, merged, options)
      told.taken.push(`${CONFIG_NAME}: ${changes.slice(0, MAX_TOLD).map(nameOf).join(', ')}`)
    }
    if (box.broken !== undefined) {
      told.notes.push(
        `the settings of the box could not be read and were replaced; they are in ${file}.before`,
      )
    }
    const secret = new Set(secretsIn(value).map((path) => path.join('.')))
    for (const change of lost.slice(0, MAX_TOLD)) {
      const [was, is] = secret.has(nameOf(change))
        ? ['***', '***']
        : [brief(change.lost.value), brief(change.value)]
      told.notes.push(
        `${nameOf(change)} was ${was} on the box and is now ${is}, as the card says; before: ${file}.before`,
      )
    }
    return true
  }

  return {
    /** A box that has no configuration yet, or lost it to a power cut, gets the one of the image. */
    async begin(told: Told): Promise<void> {
      const text = await readIfThere(file)
      if (text !== undefined && text !== '') return
      if (text === '') {
        told.notes.push('the settings of the box were lost, as in a power cut: they begin anew')
        // First: cut off before the file is written, the next start comes here again.
        await rm(takenIn(places.etc, CONFIG_NAME), { force: true })
      }
      await writeDurably(file, await defaults(), options)
    },
    async take(card: BootFile, told: Told): Promise<void> {
      const text = await finishedText(card, told)
      if (text === undefined || text === (await readIfThere(takenIn(places.etc, CONFIG_NAME))))
        return
      const mistakes = await mistakesIn(text)
      const value = mistakes.length > 0 ? undefined : await valueOfYaml(text)
      if (mistakes.length > 0 || value === undefined) {
        told.faults.push(...(mistakes.length > 0 ? mistakes : [`${CONFIG_NAME} holds no settings`]))
        return
      }
      if (!(await merge(value, told))) return
      const secrets = secretsIn(value)
      const kept = secrets.length === 0 ? text : await withoutValues(text, secrets)
      // First: cut off before the card is cleaned, the next start takes the same file again.
      await writeDurably(takenIn(places.etc, CONFIG_NAME), kept, options)
      if (kept !== text) await replaceOnFat(card.path, kept)
    },
  }
}
