/** What is in `systemd/`, by kind: where systemd looks for it, and what the package does with it. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, extname, join, relative } from 'node:path'
import type { TreeFile } from './modules.ts'

const UNIT = new Set(['.service', '.socket', '.target', '.slice', '.timer', '.path', '.mount'])

/** Folders whose files systemd's programs read, named in `systemd/` as on the machine. */
const PLACES: Record<string, string> = {
  'sysusers.d': 'usr/lib/sysusers.d',
  'tmpfiles.d': 'usr/lib/tmpfiles.d',
  'system-preset': 'usr/lib/systemd/system-preset',
}

const placeOf = (path: string): string | undefined => {
  const [top = '', ...rest] = path.split('/')
  if (rest.length > 0 && PLACES[top] !== undefined) return join(PLACES[top], ...rest)
  if (extname(path) === '.preset') return join('usr/lib/systemd/system-preset', basename(path))
  if (UNIT.has(extname(path))) return join('usr/lib/systemd/system', basename(path))
  // Drop-ins, such as `btlinkd-web.service.d/10-limits.conf`.
  if (top.endsWith('.d') && UNIT.has(extname(top.slice(0, -2)))) {
    return join('usr/lib/systemd/system', path)
  }
  return undefined
}

/** @param folder `systemd/` of the checkout. Its manual stays there. */
export function unitFiles(folder: string): TreeFile[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && extname(entry.name) !== '.md')
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((from) => {
      const to = placeOf(relative(folder, from))
      if (to === undefined) throw new Error(`no place is known for ${from}`)
      return [{ from, to, executable: false }]
    })
}

export interface UnitPlan {
  /** Enabled at the first installation: what the shipped preset says of units with [Install]. */
  enabled: string[]
  /** Started with the package: of those the target and the sockets. */
  started: string[]
  /** Restarted by an upgrade where they run. Sockets stay, so that nobody is turned away meanwhile. */
  restarted: string[]
}

/** systemd.preset(5): the first line that names the unit decides. */
function presetSays(lines: readonly string[], unit: string): boolean {
  for (const line of lines) {
    const [verb, pattern = ''] = line.trim().split(/\s+/)
    if (verb !== 'enable' && verb !== 'disable') continue
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')
    if (new RegExp(`^${escaped}$`).test(unit)) return verb === 'enable'
  }
  return false
}

export function unitPlan(files: readonly TreeFile[]): UnitPlan {
  const presets = files
    .filter(({ to }) => to.endsWith('.preset'))
    .flatMap(({ from }) => readFileSync(from, 'utf8').split('\n'))
  const units = files
    .filter(({ to }) => to.startsWith('usr/lib/systemd/system/') && UNIT.has(extname(to)))
    .map(({ from, to }) => ({ name: basename(to), text: readFileSync(from, 'utf8') }))
  const enabled = units
    .filter(({ name, text }) => /^\[Install\]/m.test(text) && presetSays(presets, name))
    .map(({ name }) => name)
    .sort()
  return {
    enabled,
    started: enabled.filter((name) => /\.(target|socket|timer|path)$/.test(name)),
    restarted: units
      .filter(({ name, text }) => name.endsWith('.service') && /^Type=notify/m.test(text))
      .map(({ name }) => name)
      .sort(),
  }
}
