/** `appliance healthy`: looks at the whole box from outside of its daemon. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { writeDurably } from '../../base/durable-file.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import { parseDuration } from '../../base/units.ts'
import {
  configFaults,
  createSlotHealth,
  diskFault,
  type Fault,
  type GoodBoot,
  readRelease,
  readSlots,
  readUnits,
  UNIT_PROPERTIES,
} from '../../services/slot-health/index.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { checkConfig } from '../roles/check-config.ts'
import { readListeners } from '../roles/listeners.ts'
import { rolesOf } from '../serve-args.ts'
import { version } from '../version.ts'
import { Refused } from './admin-client.ts'
import { asksName, asksPage } from './appliance-questions.ts'
import { BadUsage, type VerbInput, valueOf } from './verb.ts'

const TIMEOUT_MS = 180_000
const PAUSE_MS = 2000
const SETTLE_MS = 10_000
const CONFIG_FILE = '/etc/btlinkd/btlinkd.yaml'
const ENTRIES = 'EFI/Linux'
const GOOD_FILE = '/var/lib/btlinkd-healthy/good.json'

const durationOf = (text: string | undefined, standard: number): number => {
  if (text === undefined) return standard
  const ms = parseDuration(text)
  if (ms === undefined) throw new BadUsage(`"${text.slice(0, 40)}" is no duration: 3m, 90s`)
  return ms
}

async function readGood(file: string): Promise<GoodBoot | undefined> {
  try {
    const value = JSON.parse(await readFile(file, 'utf8')) as Partial<GoodBoot> | null
    return typeof value?.version === 'string' && typeof value.config === 'string'
      ? { version: value.version, config: value.config }
      : undefined
  } catch {
    return undefined
  }
}

/** On a disk that is full the next boot knows less: settings are then people's. */
async function writeGood(file: string, good: GoodBoot): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true, mode: 0o755 })
  await writeDurably(file, JSON.stringify(good), { mode: 0o644 })
}

async function stateFaults(folder: string): Promise<Fault[]> {
  const file = join(folder, `.healthy-${randomBytes(4).toString('hex')}`)
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      // More than what is kept beside the inode.
      await handle.writeFile(Buffer.alloc(8192, 1))
      await handle.sync()
    } finally {
      await handle.close()
    }
    return []
  } catch (error) {
    return [diskFault(folder, codeOf(error) ?? messageOf(error))]
  } finally {
    await rm(file, { force: true }).catch(() => undefined)
  }
}

/** `127.0.0.1@53` of `dns.front`. */
const frontPorts = (config: Config): number[] =>
  config.dns.front.map((one) => Number(one.split('@')[1] ?? 53))

/** What an asked service has wrong, which is never of the surroundings. */
const asked = (check: string, fault: string | undefined): Fault[] =>
  fault === undefined ? [] : [{ check, detail: fault, isSurroundings: false }]

function serviceChecks(config: Config): ((signal: AbortSignal) => Promise<Fault[]>)[] {
  const roles = rolesOf(config)
  const name = `check.${config.btlink.tld}`
  const ports = async () => readListeners(config.state_dir).catch(() => ({}))
  const own = async (listener: string) => {
    const listeners: Awaited<ReturnType<typeof readListeners>> = await ports()
    return listeners[listener]?.port
  }
  return [
    ...(roles.includes('dns')
      ? [
          async (signal: AbortSignal) =>
            asked('dns', await asksName(await own('dns'), name, signal)),
          ...frontPorts(config).map(
            (port) => async (signal: AbortSignal) =>
              asked(`dns on port ${port}`, await asksName(port, name, signal)),
          ),
        ]
      : []),
    ...(roles.includes('web')
      ? [async (signal: AbortSignal) => asked('pages', await asksPage(await own('http'), signal))]
      : []),
  ]
}

function unitsOf(config: Config): string[] {
  const roles = rolesOf(config)
  return [
    ...roles.map((role) => `btlinkd-${role}.service`),
    ...(roles.includes('web') ? ['btlinkd-http.socket'] : []),
    ...(config.dns.front.length > 0 ? ['unbound.service'] : []),
  ]
}

interface Settings {
  /** Undefined where they are refused: then nothing is asked that depends on them. */
  config: Config | undefined
  now: GoodBoot
  faults: Fault[]
}

async function readSettings(
  input: VerbInput,
  running: string,
  goodFile: string,
): Promise<Settings> {
  const file = valueOf(input.flags, 'config') ?? process.env['BTLINKD_CONFIG'] ?? CONFIG_FILE
  const text = await readFile(file, 'utf8').catch(() => '')
  const now: GoodBoot = {
    version: running,
    config: createHash('sha256').update(text).digest('hex'),
  }
  const mistakes = await checkConfig(file).then(
    (checked) => checked.mistakes,
    (error: unknown) => [messageOf(error)],
  )
  const faults = configFaults(mistakes, now, await readGood(goodFile))
  if (mistakes.length > 0) return { config: undefined, now, faults }
  const { config } = await loadConfig({ file, stateDir: valueOf(input.flags, 'state') })
  return { config, now, faults }
}

async function unitsNow(units: readonly string[], signal: AbortSignal) {
  if (units.length === 0) return []
  const args = ['show', `--property=${UNIT_PROPERTIES}`, ...units]
  // An answer that does not come is no unit.
  const { stdout } = await promisify(execFile)('systemctl', args, { signal }).catch(() => ({
    stdout: '',
  }))
  return readUnits(stdout)
}

const WORDS = {
  healthy: 'healthy',
  surroundings: 'this version stays, what is around it is not well',
  slot: 'this version is not well',
} as const

async function readBoot(boot: string, release: ReturnType<typeof readRelease>) {
  const entries = await readdir(join(boot, ENTRIES)).catch(() => [])
  return release
    ? readSlots(entries, release.id, release.version)
    : { onTrial: false, hasOther: false }
}

/** Why a restart would lead nowhere else; undefined where it would. */
function reasonToStay({ onTrial, hasOther }: ReturnType<typeof readSlots>): string | undefined {
  if (!onTrial) return 'it was found well before'
  return hasOther ? undefined : 'there is no other version to go back to'
}

export async function healthy(input: VerbInput): Promise<void> {
  const { flags } = input
  const timeoutMs = durationOf(valueOf(flags, 'timeout'), TIMEOUT_MS)
  const root = valueOf(flags, 'root') ?? '/'
  const boot = valueOf(flags, 'boot') ?? join(root, 'boot')
  const goodFile = join(root, GOOD_FILE)
  const release = readRelease(await readFile(join(root, 'etc/os-release'), 'utf8').catch(() => ''))
  const settings = await readSettings(input, release?.version ?? version(), goodFile)
  const { config, now } = settings
  const named = valueOf(flags, 'units')?.split(',')
  const units = named?.filter((one) => one !== '') ?? (config ? unitsOf(config) : [])

  const { verdict, reasons } = await createSlotHealth(
    {
      units,
      askUnits: (signal) => unitsNow(units, signal),
      checks: [
        async () => settings.faults,
        ...(config ? [() => stateFaults(config.state_dir), ...serviceChecks(config)] : []),
      ],
      steady: () => performance.now(),
    },
    {
      timeoutMs,
      pauseMs: Math.min(PAUSE_MS, timeoutMs / 4),
      settleMs: Math.min(SETTLE_MS, timeoutMs / 2),
    },
  ).look(new AbortController().signal)

  const isGate = flags['gate'] === true
  if (isGate && verdict === 'healthy') await writeGood(goodFile, now).catch(() => undefined)
  const slots = await readBoot(boot, release)
  const stays = isGate ? reasonToStay(slots) : undefined
  const isLeft = verdict === 'slot' && stays === undefined
  const head = `version ${now.version}: ${WORDS[verdict]}`
  const tail = verdict === 'slot' && stays !== undefined ? [`it stays: ${stays}`] : []
  const value = { verdict, reasons, version: now.version, ...slots, isLeft }
  input.print([head, ...reasons, ...tail].join('\n'), value)
  if (isLeft) throw new Refused(`${head}: ${reasons[0] ?? ''}`)
}
