/** `btlinkd support-bundle`: facts for whoever helps, without secrets. */
import { open, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { codeOf, messageOf } from '../../base/errors.ts'
import { createMachine, createScrub, makeBundle } from '../../services/doctor/index.ts'
import { readableConfig } from '../doctor/at-rest.ts'
import { bundleParts, wordsOfConfig } from '../doctor/bundle-parts.ts'
import { networksHere } from '../doctor/networks-here.ts'
import { secretsHere } from '../doctor/secrets-here.ts'
import { UnusableFile } from './secrets.ts'
import { type Verb, valueOf } from './verb.ts'

/** Boxes have them as they come, and so say nothing of the house. */
const COMMON_NAMES = ['btlink', 'btlinkd', 'btlink.local', 'btlinkd.local', 'localhost', 'debian']
const PART_MS = 20_000
const DEADLINE_MS = 90_000

const dayTime = (now: number): string =>
  new Date(now).toISOString().slice(0, 19).replace(/[:T]/g, '-')

/** For its owner alone, whole or not at all; nothing that was there before is replaced. */
async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(bytes)
      // Whoever asked for it may pull the stick next.
      await handle.sync()
    } catch (error) {
      await rm(file, { force: true })
      throw error
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw new UnusableFile('write', file, codeOf(error) ?? messageOf(error), { cause: error })
  }
}

function writeOut(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

export const supportBundleVerb: Verb = {
  usage: ['support-bundle [-o FILE | -o -] [--with-names]'],
  help: `Gathers status, doctor, configuration, versions, ports, network and the last lines of the log in a
.tar.gz for whoever helps. Passwords, keys and tokens are taken out, public addresses are shortened, and
names of sites and hosts are replaced by marks unless --with-names is given. It works while the daemon is
dead, and on a full disk with -o - , which writes to stdout. See docs/doctor.md.`,
  options: {
    output: { type: 'string', short: 'o' },
    'with-names': { type: 'boolean' },
  },
  takes: [0, 0],
  async run(input) {
    const { flags } = input
    const now = Date.now()
    const withNames = flags['with-names'] === true
    const readable = await readableConfig({
      file: valueOf(flags, 'config'),
      stateDir: valueOf(flags, 'state'),
    })
    const machine = createMachine({
      root: process.env['BTL_DOCTOR_ROOT'] ?? '',
      path: process.env['BTL_DOCTOR_PATH'] ?? '',
    })
    const folder = `btlinkd-support-${dayTime(now)}`
    const scrub = createScrub({
      secrets: await secretsHere(readable.config, readable.source.file, process.env),
      withNames,
      hosts: [hostname().split('.')[0]?.toLowerCase() ?? '', ...(await networksHere(machine))],
      keep: new Set([...wordsOfConfig(), ...COMMON_NAMES]),
    })
    const parts = bundleParts({ readable, machine, withNames })
    const options = { folder, scrub, now, partMs: PART_MS }
    const bytes = await makeBundle(parts, options, AbortSignal.timeout(DEADLINE_MS))
    const file = valueOf(flags, 'output') ?? `${folder}.tar.gz`
    if (file === '-') {
      await writeOut(bytes)
      return
    }
    await writeNew(file, bytes)
    input.print(
      `${file}: ${parts.length} files, ${bytes.length} bytes; look through it before you hand it on`,
      {
        file,
        bytes: bytes.length,
        parts: parts.map(({ name }) => name),
      },
    )
  },
}
