import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import type { Slot } from '../../base/ports/slots.ts'
import { formatSize } from '../../base/units.ts'
import { NotAnImage } from '../../engines/slots/index.ts'
import {
  folderSource,
  isNight,
  isPackFailure,
  nextNight,
  type Notes,
  NOTES,
  pathSource,
  readNotes,
  type SourceReport,
} from '../../services/update/index.ts'
import { untilGivenUp } from './given-up.ts'
import { table } from './table.ts'
import {
  fetchAsOwner,
  fetchAutomatically,
  fetchedVersion,
  type FetchedView,
  fetchHere,
} from './update-fetch.ts'
import { type UpdateParts, updateParts } from './update-parts.ts'
import { argument, BadUsage, type Flags, type Verb, type VerbInput } from './verb.ts'

const isRoot = (): boolean => process.getuid?.() === 0

/** @throws NotAnImage, in one line that says who updates this machine */
function requireImage({ image }: UpdateParts): void {
  if (!image) throw new NotAnImage('/etc/os-release has no IMAGE_ID=btlinkd')
}

function requireRoot(what: string): void {
  if (!isRoot()) throw new BadUsage(`${what} changes the disk: run it as root`)
}

const describe = ({ kind, where, version, bytes, whyNot, code }: SourceReport): string[] => [
  kind,
  where,
  version ?? '-',
  bytes === undefined ? '-' : formatSize(bytes),
  whyNot === undefined ? 'can be installed' : `${code === undefined ? '' : 'none: '}${whyNot}`,
]

async function check(input: VerbInput, parts: UpdateParts, signal: AbortSignal): Promise<void> {
  const reports = await parts.updater.check(parts.sources, signal)
  const running = parts.image?.version
  const head =
    running === undefined
      ? 'This machine does not run an image: apt or Ansible keep it up to date.'
      : `Version ${running} runs.`
  const text =
    reports.length === 0
      ? 'No source: set update.site or update.channel, or apply from a stick.'
      : table(['from', 'where', 'version', 'to fetch', 'verdict'], reports.map(describe))
  input.print(`${head}\n${text}`, { running, sources: reports })
}

/** When the box starts anew after an installation: now, by night, or not at all. */
async function restart(
  { flags }: VerbInput,
  parts: UpdateParts,
  signal: AbortSignal,
): Promise<string> {
  if (flags['no-reboot'] === true) return 'It boots next time the box is started.'
  const now = new Date()
  const at = nextNight(now, parts.config.window)
  if (flags['now'] === true || at <= now) {
    await parts.slots.reboot(undefined, signal)
    return 'The box starts anew now.'
  }
  await parts.slots.reboot(at, signal)
  return `The box starts anew at ${at.toLocaleString('en-GB')}.`
}

async function installFetched(
  parts: UpdateParts,
  allowDowngrade: boolean,
  signal: AbortSignal,
): Promise<string> {
  return parts.updater.install(folderSource(parts.folders.fetched), { allowDowngrade }, signal)
}

/** Fetches and installs; where a pack does not fit what is on this disk, once more and whole. */
async function fetchAndInstall(
  input: VerbInput,
  parts: UpdateParts,
  signal: AbortSignal,
): Promise<{ version: string; fetched: FetchedView }> {
  const allowDowngrade = input.flags['allow-downgrade'] === true
  const fetched = await fetchAsOwner(parts, input.flags, signal)
  try {
    return { version: await installFetched(parts, allowDowngrade, signal), fetched }
  } catch (error) {
    if (!isPackFailure(error)) throw error
    const whole = await fetchAsOwner(parts, input.flags, signal)
    return { version: await installFetched(parts, allowDowngrade, signal), fetched: whole }
  }
}

const fetchedText = ({ version, where, fetchedBytes, totalBytes, seedsNot }: FetchedView): string =>
  [
    `fetched   ${version} from ${where}: ${formatSize(fetchedBytes)} of ${formatSize(totalBytes)} were not here`,
    ...(seedsNot === undefined ? [] : [`not given to others: ${seedsNot}`]),
  ].join('\n')

/** Root's part, asked for by who is not root: btlinkd-update.path waits for the file. */
async function request({ folders }: UpdateParts): Promise<void> {
  await mkdir(dirname(folders.request), { recursive: true, mode: 0o750 })
  await writeFile(folders.request, JSON.stringify({ at: new Date().toISOString() }))
}

/** Root takes no words from the daemon's user: what would be passed over is refused. */
function requireRootFor(flags: Flags): void {
  const word = ['allow-downgrade', 'now', 'no-reboot'].find((name) => flags[name] === true)
  if (word !== undefined) requireRoot(`update apply --${word}`)
}

async function apply(input: VerbInput, parts: UpdateParts, signal: AbortSignal): Promise<void> {
  const { flags, positionals } = input
  const [, path] = positionals
  const allowDowngrade = flags['allow-downgrade'] === true
  if (flags['no-install'] === true) {
    if (path !== undefined) throw new BadUsage('--no-install fetches: it takes no PATH')
    const fetched = await fetchAsOwner(parts, flags, signal)
    input.print(fetchedText(fetched), fetched)
    return
  }
  requireImage(parts)
  if (path !== undefined) {
    requireRoot('update apply PATH')
    const source = await pathSource(path)
    const version = await parts.updater.install(source, { allowDowngrade }, signal)
    const next = await restart(input, parts, signal)
    input.print(`installed ${version} from ${source.where}\n${next}`, { version, next })
    return
  }
  if (!isRoot()) {
    requireRootFor(flags)
    const fetched = await fetchHere(parts, { allowDowngrade }, signal)
    await request(parts)
    const text = `${fetchedText(fetched)}\nbtlinkd-update.service installs it now: \`btlinkd update status\``
    input.print(text, { ...fetched, requested: true })
    return
  }
  const { version, fetched } = await fetchAndInstall(input, parts, signal)
  const next = await restart(input, parts, signal)
  input.print(`${fetchedText(fetched)}\ninstalled ${version}\n${next}`, { version, fetched, next })
}

async function rollback(input: VerbInput, parts: UpdateParts, signal: AbortSignal): Promise<void> {
  requireImage(parts)
  requireRoot('update rollback')
  const version = await parts.updater.rollback(signal)
  const next = await restart(input, parts, signal)
  input.print(`version ${version} boots next\n${next}`, { version, next })
}

const bootWord = ({ boot, triesLeft }: Slot): string =>
  boot === 'trying' ? `on trial, ${triesLeft} tries left` : boot

function statusText({ slots, installed, failure }: Notes, fetched: string | undefined): string {
  const rows = slots.map((slot) => [slot.version, bootWord(slot), slot.isRunning ? 'runs' : ''])
  return [
    slots.length === 0 ? 'Only root sees the slots.' : table(['version', 'boot', ''], rows),
    ...(fetched === undefined ? [] : [`fetched    ${fetched}, not installed yet`]),
    ...(installed ? [`installed  ${installed.version} at ${installed.at}`] : []),
    ...(failure ? [`failed     ${failure.version} at ${failure.at}: ${failure.message}`] : []),
  ].join('\n')
}

async function status(input: VerbInput, parts: UpdateParts, signal: AbortSignal): Promise<void> {
  requireImage(parts)
  const notes = await parts.updater.status(signal)
  const isHere = (version: string) =>
    notes.slots.some((slot) => slot.version === version && slot.boot !== 'incomplete')
  const whole = await fetchedVersion(parts, signal)
  // What was installed lies there until the next look.
  const fetched = whole === undefined || isHere(whole) ? undefined : whole
  const running = parts.image?.version
  const value = { running, ...notes, ...(fetched !== undefined && { fetched }) }
  input.print(statusText(notes, fetched), value)
}

/** What btlinkd-update.service runs as root: what was asked for at once, what is automatic by night. */
async function install(input: VerbInput, parts: UpdateParts, signal: AbortSignal): Promise<void> {
  const { config, folders } = parts
  requireImage(parts)
  requireRoot('update install')
  const isAsked = await rm(folders.request).then(
    () => true,
    () => false,
  )
  const isAutomatic = input.flags['automatic'] === true
  const say = (done: string) => input.print(done, { done })
  if (isAutomatic && !isAsked) {
    if (!config.automatic) return say('updates are not automatic')
    if (!isNight(new Date(), config.window)) return say(`it is not ${config.window}`)
  }
  const version = await fetchedVersion(parts, signal)
  if (version === undefined) return say('nothing was fetched')
  const { slots } = await readNotes(join(folders.install, NOTES))
  // Tried before and given up, or in its slot already and waiting for its boot.
  if (!isAsked && slots.some((slot) => slot.version === version && slot.boot !== 'incomplete'))
    return say(`version ${version} is on the disk already`)
  await installFetched(parts, false, signal)
  const next = await restart(input, parts, signal)
  input.print(`installed ${version}\n${next}`, { version, next })
}

async function fetch(input: VerbInput, parts: UpdateParts, signal: AbortSignal): Promise<void> {
  const { flags } = input
  if (flags['automatic'] !== true) {
    const fetched = await fetchHere(
      parts,
      { allowDowngrade: flags['allow-downgrade'] === true },
      signal,
    )
    input.print(fetchedText(fetched), fetched)
    return
  }
  // No uplink tonight is no failed unit: the next run looks again.
  const done = await fetchAutomatically(parts, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    return { done: messageOf(error) }
  })
  input.print('done' in done ? done.done : fetchedText(done), done)
}

const ACTIONS: Readonly<
  Record<string, (input: VerbInput, parts: UpdateParts, signal: AbortSignal) => Promise<void>>
> = { check, apply, rollback, status, install, fetch }

export const updateVerb: Verb = {
  usage: [
    'update check',
    'update apply [PATH] [--allow-downgrade] [--now | --no-reboot] [--no-install]',
    'update rollback [--now | --no-reboot]',
    'update status',
    'update fetch [--automatic]',
    'update install [--automatic] [--now | --no-reboot]',
  ],
  help: `check says what each source has, and why it would not be installed. apply fetches the newest
release, or takes the folder or tar file PATH, verifies it, and writes it to the slot that does
not run; the box starts anew by night, at once with --now, or when you do it with --no-reboot.
A version that does not come up well is left again after two tries. rollback goes back by hand.
fetch and install are the two halves of apply, for the daemon's user and for root: with
--automatic they do what the configuration's section update says, and nothing else.
--no-install fetches and verifies only. --allow-downgrade takes an older version too.`,
  options: {
    'allow-downgrade': { type: 'boolean' },
    now: { type: 'boolean' },
    'no-reboot': { type: 'boolean' },
    'no-install': { type: 'boolean' },
    automatic: { type: 'boolean' },
  },
  takes: [1, 2],
  async run(input) {
    const word = argument(input, 0)
    const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined
    if (!action)
      throw new BadUsage(`update ${word.slice(0, 40)}: say check, apply, rollback or status`)
    if (input.positionals.length > 1 && word !== 'apply')
      throw new BadUsage(`update ${word} takes nothing more`)
    const { now, 'no-reboot': noReboot } = input.flags
    if (now === true && noReboot === true)
      throw new BadUsage('--now and --no-reboot exclude each other')
    await untilGivenUp(async (signal) => action(input, await updateParts(input), signal))
  },
}
