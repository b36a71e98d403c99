/** `appliance console`: gathers what a screen shows, whether the daemon runs or not. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { isIPv4 } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../base/errors.ts'
import { systemClock } from '../../base/ports/clock.ts'
import { silentLog } from '../../base/ports/log.ts'
import { draw, screen, type ScreenFacts } from '../../edges/console/index.ts'
import { createHouseClock } from '../../engines/clock/index.ts'
import { shownWords } from '../../engines/pki/index.ts'
import { PLACES, readReport } from '../../services/first-boot/index.ts'
import { readRelease, readSlots } from '../../services/slot-health/index.ts'
import { loadConfig } from '../config/load.ts'
import { readListeners } from '../roles/listeners.ts'
import { adminSocket } from '../run-folder.ts'
import { packageFile, version } from '../version.ts'
import { BadUsage, type VerbInput, valueOf } from './verb.ts'

const STATE_DIR = '/var/lib/btlinkd'
const CONSOLES = '/sys/class/tty/console/active'
const MEMORY = '/run/btlinkd/console'
const ASK_MS = 3000
const MAX_ANSWER_BYTES = 65_536
const MAX_TTYS = 8

/** avahi's name, which has a number behind it where another box was first; else the machine's own. */
async function localName(): Promise<string> {
  const service = ['org.freedesktop.Avahi', '/', 'org.freedesktop.Avahi.Server']
  try {
    const { stdout } = await promisify(execFile)(
      'busctl',
      ['--timeout=1', 'call', ...service, 'GetHostNameFqdn'],
      { timeout: ASK_MS },
    )
    const name = /^s "([a-z0-9.-]{1,253})"/i.exec(stdout)?.[1]
    if (name !== undefined) return name
  } catch {
    // No avahi, or not yet.
  }
  return `${hostname().split('.')[0] ?? 'btlink'}.local`
}

function addresses(): { v4: string[]; v6: string[] } {
  const all = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address))
    .map(({ address }) => address)
  return { v4: all.filter((one) => isIPv4(one)), v6: all.filter((one) => !isIPv4(one)) }
}

function askDaemon(stateDir: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath: adminSocket(stateDir),
      path: '/api/health',
      headers: { host: 'localhost', accept: 'application/json' },
      signal: AbortSignal.timeout(ASK_MS),
    })
    sent.once('error', reject)
    sent.once('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.once('error', reject)
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > MAX_ANSWER_BYTES) sent.destroy(new Error('too long'))
      })
      response.once('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))))
    })
    sent.end()
  })
}

interface Report {
  status?: string
  components?: Record<string, { status: string; score: number; detail?: string }>
}

/** The worst part in a line. */
async function healthLine(stateDir: string): Promise<string> {
  try {
    const { status = 'unknown', components = {} } = (await askDaemon(stateDir)) as Report
    if (status === 'ok') return 'well'
    const [worst] = Object.entries(components)
      .filter(([, one]) => one.status !== 'ok')
      .toSorted(([, a], [, b]) => a.score - b.score)
    const why = worst
      ? `: ${worst[0]}${worst[1].detail === undefined ? '' : `, ${worst[1].detail}`}`
      : ''
    return `${status}${why}`
  } catch {
    return 'not running, or not yet'
  }
}

/** Without the time itself: a screen that changes every minute would be drawn every minute. */
function clockLine(stateDir: string): string {
  const house = createHouseClock({
    clock: systemClock,
    log: silentLog,
    file: join(stateDir, 'clock'),
    builtFile: packageFile,
  })
  const { state, now } = house.view()
  if (state === 'synced') return 'synced'
  const day = Number.isFinite(now) ? new Date(now).toISOString().slice(0, 10) : ''
  return state === 'unset' ? `unset, it says ${day}` : 'floor, no time server has confirmed it'
}

async function versionLine(root: string): Promise<string> {
  const release = readRelease(await readFile(join(root, 'etc/os-release'), 'utf8').catch(() => ''))
  if (!release) return version()
  const entries = await readdir(join(root, 'boot/EFI/Linux')).catch(() => [])
  const { onTrial, hasOther } = readSlots(entries, release.id, release.version)
  const trial = onTrial ? ', on trial' : ''
  return `${release.id} ${release.version}${trial}${hasOther ? ', another is kept' : ''}`
}

/** Settings as far as they can be read: a box whose settings are wrong has a screen too. */
async function settings(input: VerbInput): Promise<{ stateDir: string; tld: string }> {
  const stateDir = valueOf(input.flags, 'state')
  try {
    const { config } = await loadConfig({ file: valueOf(input.flags, 'config'), stateDir })
    if (config) return { stateDir: config.state_dir, tld: config.btlink.tld }
  } catch {
    // The file named is not there.
  }
  return { stateDir: stateDir ?? STATE_DIR, tld: 'btlink' }
}

async function gather(input: VerbInput): Promise<ScreenFacts> {
  const root = valueOf(input.flags, 'root') ?? '/'
  const { stateDir, tld } = await settings(input)
  const [name, health, words, report, listeners, ownVersion] = await Promise.all([
    localName(),
    healthLine(stateDir),
    shownWords(join(stateDir, 'pki'), tld),
    readReport(join(root, PLACES.report)),
    readListeners(stateDir).catch((): Awaited<ReturnType<typeof readListeners>> => ({})),
    versionLine(root),
  ])
  const { v4, v6 } = addresses()
  const port = listeners['http']?.port ?? 80
  const [host = v6[0] === undefined ? undefined : `[${v6[0]}]`] = v4
  return {
    name,
    version: ownVersion,
    v4,
    v6,
    url: host === undefined ? undefined : `http://${host}${port === 80 ? '' : `:${port}`}/`,
    words,
    clock: clockLine(stateDir),
    health,
    faults: report?.faults ?? [],
  }
}

function count(input: VerbInput, name: string): number | undefined {
  const text = valueOf(input.flags, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 4 || value > 1000) {
    throw new BadUsage(`--${name} is a number from 4 to 1000, not "${text.slice(0, 20)}"`)
  }
  return value
}

/** The kernel's; `tty0` is whichever is in front, and ours is the first. */
async function kernelConsoles(): Promise<string[]> {
  const text = await readFile(CONSOLES, 'utf8').catch(() => 'tty0')
  const names = text
    .trim()
    .split(/\s+/)
    .map((name) => (name === 'tty0' ? 'tty1' : name))
  // A kernel may be told of a line that the machine does not have.
  return [...new Set([...names, 'tty1'])].map((name) => `/dev/${name}`).filter(existsSync)
}

export async function console(input: VerbInput): Promise<void> {
  const columns = count(input, 'columns')
  const rows = count(input, 'rows')
  const facts = await gather(input)
  const named = valueOf(input.flags, 'tty')
  if (named === undefined) {
    const own = { columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 25 }
    const size = { columns: columns ?? own.columns, rows: rows ?? own.rows }
    input.print(screen(facts, size).join('\n'), facts)
    return
  }
  const size = { ...(columns !== undefined && { columns }), ...(rows !== undefined && { rows }) }
  const devices = named === 'auto' ? await kernelConsoles() : named.split(',')
  const memory = join(valueOf(input.flags, 'root') ?? '/', MEMORY)
  for (const device of devices.slice(0, MAX_TTYS)) {
    try {
      await draw(device, { memory, size, linesFor: (own) => screen(facts, own) })
    } catch (error) {
      // The others are drawn all the same: a kernel may name a line that is not there.
      process.stderr.write(`btlinkd appliance: ${device}: ${messageOf(error)}\n`)
    }
  }
}
