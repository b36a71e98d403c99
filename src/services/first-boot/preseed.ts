/** `rpi-preseed.toml`, which Raspberry Pi Imager leaves on the card: as much of it as a box without users takes. */
import { messageOf, printable } from '../../base/errors.ts'
import { readSshKeys } from './ssh-keys.ts'
import type { Wifi } from './wifi.ts'

export interface Preseed {
  /** False where it is not TOML. */
  isWhole: boolean
  hostname?: string
  timezone?: string
  wifi?: Wifi
  /** Lines of authorized_keys; undefined where the file says nothing of ssh. */
  keys?: string[]
  /** What was not taken, and why: one line each. */
  faults: string[]
  /** Lines for people that are no faults. */
  notes: string[]
}

type Table = Record<string, unknown>

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** RFC 1123, section 2.1: one label. */
const HOSTNAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i
/** A name of the tz database: no way out of its folder. */
const TIMEZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/
const MAX_LIST = 100
const MAX_DEPTH = 10

const NO_PASSWORDS =
  'there are no users and no passwords on this box: pages need none, and ssh takes keys alone'

/** What we know of each table; other keys are told and left. */
const KNOWN: Record<string, readonly string[]> = {
  system: ['hostname'],
  user: ['name', 'password', 'password_encrypted', 'passwordless_sudo', 'groups'],
  ssh: ['enabled', 'password_authentication', 'authorized_keys'],
  wlan: ['ssid', 'password', 'password_encrypted', 'hidden', 'country', 'key_mgmt'],
  locale: ['keymap', 'timezone', 'locale'],
}

const hasControl = (text: string): boolean => Array.from(text).some((one) => one < ' ')

function readWifi(wlan: Table, fault: Fault): Wifi | undefined {
  const { ssid, password = '', hidden = false, country = '' } = wlan
  if (ssid === undefined) return undefined
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (!isText(ssid) || ssid === '' || Buffer.byteLength(ssid) > 32 || hasControl(ssid)) {
    fault('ssid', 'is the name of a network, of 1 to 32 bytes')
    return undefined
  }
  const length = isText(password) ? Buffer.byteLength(password) : -1
  const isKey = isText(password) && /^([\x20-\x7e]{8,63}|[0-9a-f]{64})$/i.test(password)
  if (!isText(password) || (length !== 0 && !isKey)) {
    fault('password', 'has 8 to 63 plain characters, or is a key of 64 hex digits')
    return undefined
  }
  if (!isText(country) || !/^([A-Z]{2})?$/i.test(country)) {
    fault('country', 'is two letters, like DE')
    return undefined
  }
  return { ssid, password, hidden: hidden === true, country: country.toUpperCase() }
}

function unknownKeys(tables: Table): string[] {
  return Object.entries(tables).flatMap(([name, table]) => {
    if (name === 'config_version') return []
    const known = Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined
    if (!known || !isTable(table)) return [printable(name, 40)]
    return Object.keys(table)
      .filter((key) => !known.includes(key))
      .map((key) => printable(`${name}.${key}`, 60))
  })
}

/** What is wrong with a key, told under its name. */
type Fault = (key: string, text: string) => void

function readSsh(ssh: Table, found: Preseed, fault: Fault, place: string): void {
  if (ssh['password_authentication'] === true) {
    fault('password_authentication', `was not taken: ${NO_PASSWORDS}`)
  }
  const lines = ssh['authorized_keys']
  if (Array.isArray(lines)) {
    const read = readSshKeys(lines.slice(0, MAX_LIST).map(String), `${place}: ssh.authorized_keys`)
    found.keys = ssh['enabled'] === false ? [] : read.keys
    found.faults.push(...read.faults)
  } else if (lines !== undefined) fault('authorized_keys', 'is a list of texts')
  else if (ssh['enabled'] === true) {
    fault('enabled', 'needs authorized_keys: ssh stays off without a key')
  }
}

function readHostname({ hostname }: Table, found: Preseed, fault: Fault): void {
  if (hostname === undefined) return
  if (typeof hostname === 'string' && HOSTNAME.test(hostname)) {
    found.hostname = hostname.toLowerCase()
  } else fault('hostname', 'is one word of letters, digits and hyphens')
}

function readLocale({ timezone, keymap }: Table, found: Preseed, fault: Fault): void {
  if (keymap !== undefined) {
    found.notes.push('locale.keymap is not needed: nobody types on this box')
  }
  if (timezone === undefined) return
  if (typeof timezone === 'string' && timezone.length <= 64 && TIMEZONE.test(timezone)) {
    found.timezone = timezone
  } else fault('timezone', 'is a name like Europe/Berlin')
}

async function parseToml(text: string): Promise<Table> {
  const { parse } = await import('smol-toml')
  return parse(text, { maxDepth: MAX_DEPTH })
}

/** @param name what faults begin with */
export async function readPreseed(text: string, name: string): Promise<Preseed> {
  const found: Preseed = { isWhole: true, faults: [], notes: [] }
  let tables: Table
  try {
    tables = await parseToml(text)
  } catch (error) {
    const line = error instanceof Error && 'line' in error ? `:${String(error.line)}` : ''
    const [what = ''] = messageOf(error)
      .replace(/^Invalid TOML document: /, '')
      .split('\n')
    const fault = `${name}${line}: is not TOML: ${printable(what, 120)}`
    return { ...found, isWhole: false, faults: [fault] }
  }
  const table = (key: string): Table => {
    const value = Object.hasOwn(tables, key) ? tables[key] : undefined
    return isTable(value) ? value : {}
  }
  const faultIn =
    (section: string): Fault =>
    (key, what) =>
      void found.faults.push(`${name}: ${section}.${key} ${what}`)

  readHostname(table('system'), found, faultIn('system'))
  if (Object.keys(table('user')).length > 0) {
    found.faults.push(`${name}: user was not taken: ${NO_PASSWORDS}`)
  }
  readSsh(table('ssh'), found, faultIn('ssh'), name)
  readLocale(table('locale'), found, faultIn('locale'))
  const wifi = readWifi(table('wlan'), faultIn('wlan'))
  if (wifi) found.wifi = wifi
  const unknown = unknownKeys(tables).slice(0, 10)
  if (unknown.length > 0) found.notes.push(`not known here and left: ${unknown.join(', ')}`)
  return { ...found, notes: found.notes.map((note) => `${name}: ${note}`) }
}

const EMPTIED = '# This file held a password, and was emptied after the box had read it.\n'
/** Lines that assign what must not stay on the card. */
const SECRET_LINE = /^\s*(?:"?wlan"?\s*\.\s*|"?user"?\s*\.\s*)?["']?(?:password|psk)["']?\s*=/

/** The text without passwords; where they cannot be told line by line, without anything. */
export async function withoutPasswords(text: string): Promise<string> {
  const hasSecret = (tables: Table): boolean =>
    ['wlan', 'user'].some((name) => {
      const table = tables[name]
      return isTable(table) && ('password' in table || 'psk' in table)
    })
  try {
    if (!hasSecret(await parseToml(text))) return text
    const lines = text.split('\n')
    // The lines of a long text may look like settings once its beginning is gone.
    if (lines.some((line) => SECRET_LINE.test(line) && /"""|'''/.test(line))) return EMPTIED
    const kept = lines
      .map((line) =>
        SECRET_LINE.test(line) ? '# password: taken out after the box had read it' : line,
      )
      .join('\n')
    if (!hasSecret(await parseToml(kept))) return kept
  } catch {
    // Not TOML, or no longer: see below.
  }
  return EMPTIED
}
