/** Certificates: of the house's own authority, and of public ones. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DAY_MS, dayOf, soundTime } from '../../base/sound-time.ts'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { partOf } from './status.ts'

const NEAR_END_MS = 45 * DAY_MS
const MAX_FILES = 200

/** The folder of the authority in force; undefined where none was made yet. */
async function currentAuthority(stateDir: string, realm: string): Promise<string | undefined> {
  const folder = join(stateDir, 'pki', realm)
  const entries = await readdir(folder).catch(() => [])
  const newest = Math.max(0, ...entries.filter((one) => /^[1-9]\d{0,8}$/.test(one)).map(Number))
  return newest === 0 ? undefined : join(folder, String(newest))
}

interface Authority {
  notAfter: number
  faults: string[]
  usable: number
}

async function readAuthority(folder: string): Promise<Authority> {
  const faults: string[] = []
  const root = new X509Certificate(await readFile(join(folder, 'root.pem')))
  let usable = 0
  for (const name of (await readdir(folder)).filter((one) => /^intermediate-\d+\.pem$/.test(one))) {
    try {
      const certificate = new X509Certificate(await readFile(join(folder, name)))
      const key = createPrivateKey(await readFile(join(folder, name.replace('.pem', '.key'))))
      const isPair = certificate.publicKey.equals(createPublicKey(key))
      if (isPair && certificate.verify(root.publicKey)) usable++
      else faults.push(`${name} does not go with its key`)
    } catch {
      faults.push(`${name} or its key cannot be read`)
    }
  }
  return { notAfter: Date.parse(root.validTo), faults, usable }
}

export const trustChecks: readonly Check[] = [
  {
    id: 'authority',
    asks: "Is the house's certificate authority whole?",
    severity: 'house',
    why: 'Without it no page opens over https on devices that trust the box.',
    remedy:
      'Bring it back: `btlinkd ca import FILE`, or `btlinkd backup restore FILE`. A new one (`btlinkd ca rotate`) has to be trusted anew on every device.',
    view: 'machine',
    async look({ facts: { stateDir, tld } }) {
      const realms: string[] = []
      for (const realm of ['names', 'links']) {
        const place = realm === 'names' ? join('names', tld) : realm
        const folder = await currentAuthority(stateDir, place)
        if (folder === undefined) continue
        const found = await readAuthority(folder).catch(() => undefined)
        if (!found) return failed(`the root certificate in ${folder} cannot be read`)
        if (found.usable === 0) return failed(`none of the keys in ${folder} can be used`)
        if (found.faults.length > 0) {
          return warning(
            `a spare key is in use: ${few(found.faults, 1)}`,
            'Make a backup now; the rest still works.',
          )
        }
        realms.push(`${realm} until ${dayOf(found.notAfter)}`)
      }
      return realms.length > 0
        ? ok(few(realms))
        : unknown('there is none yet; the first page over https makes it')
    },
  },
  {
    id: 'authority-end',
    asks: 'Is the root certificate valid for long?',
    severity: 'house',
    why: 'On the day it ends every device in the house says that pages are not safe.',
    remedy: 'Make a new one in time, and trust it on every device: `btlinkd ca rotate`.',
    view: 'machine',
    async look({ facts: { stateDir, tld }, clock }) {
      const folder = await currentAuthority(stateDir, join('names', tld))
      const found =
        folder === undefined ? undefined : await readAuthority(folder).catch(() => undefined)
      if (!found) return unknown('there is no root certificate to read')
      const { now, isSound } = soundTime(clock)
      if (!isSound) return unknown('the clock cannot be right')
      const day = dayOf(found.notAfter)
      if (now >= found.notAfter) return failed(`the root certificate ended on ${day}`)
      return found.notAfter - now < NEAR_END_MS
        ? warning(`the root certificate ends on ${day}`)
        : ok(`until ${day}`)
    },
  },
  {
    id: 'public-certificates',
    asks: 'Are the certificates of public hosts in force?',
    severity: 'some',
    why: 'Visitors from outside are told that the site is not safe.',
    remedy:
      'The name has to lead to this box, and port 80 or 443 to it: see `btlinkd health`, part acme.',
    fix: 'certificates',
    view: 'machine',
    async look({ facts, clock, box }) {
      if (!facts.acme) return ok('none are asked for')
      const { now, isSound } = soundTime(clock)
      if (!isSound) return unknown('the clock cannot be right')
      const ended: string[] = []
      let seen = 0
      const folder = join(facts.stateDir, 'acme')
      const files = await readdir(folder, { recursive: true }).catch(() => [])
      for (const name of files.filter((one) => one.endsWith('.pem')).slice(0, MAX_FILES)) {
        seen++
        try {
          const { validTo } = new X509Certificate(await readFile(join(folder, name)))
          if (Date.parse(validTo) <= now) ended.push(name)
        } catch {
          ended.push(name)
        }
      }
      if (ended.length > 0) return failed(`ended or unreadable: ${few(ended)}`)
      const part = await partOf(box, 'acme')
      if (part && part.status !== 'ok') return warning(part.detail ?? 'orders fail')
      return seen === 0 ? unknown('none was ordered yet') : ok(`${seen} in force`)
    },
  },
]
