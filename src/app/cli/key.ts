import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EMPTY, fromHex, toHex } from '../../base/bytes.ts'
import type { PublicKey } from '../../base/hashes.ts'
import { hostOf } from '../../base/names/index.ts'
import type { KeyStore } from '../../base/ports/store.ts'
import { createKeyStore } from '../../engines/store/index.ts'
import { createLog } from '../log-lines.ts'
import { asOwner } from './as-owner.ts'
import { table } from './table.ts'
import { BadUsage, type Verb, type VerbInput, valueOf } from './verb.ts'
import { huntVanity } from './vanity.ts'

const SEED_HEX = /^[0-9a-f]{64}$/i
const MAX_SECONDS = 86_400

/** Works on the keys as whoever owns the state: the daemon has to read what root makes. */
async function withKeys<Result>(
  input: VerbInput,
  work: (keys: KeyStore) => Promise<Result>,
): Promise<Result> {
  const stateDir = await input.stateDir()
  const log = createLog('key', { level: 'warn', format: 'text' })
  const keys = createKeyStore(join(stateDir, 'keys'), log)
  return existsSync(stateDir) ? asOwner(stateDir, () => work(keys)) : work(keys)
}

const viewOf = (name: string, publicKey: PublicKey) => ({
  name,
  publicKey,
  host: hostOf({ kind: 'key', publicKey, salt: EMPTY }, 'btlink'),
})

function nameOf(input: VerbInput): string {
  const name = input.positionals[1]
  if (name === undefined) throw new BadUsage('name the key')
  return name
}

function say(input: VerbInput, name: string, publicKey: PublicKey): void {
  const view = viewOf(name, publicKey)
  input.print(`${name}\n  public key  ${publicKey}\n  name        ${view.host}`, view)
}

function secondsOf(input: VerbInput): number {
  const seconds = Number(valueOf(input.flags, 'seconds') ?? '10')
  if (seconds > 0 && seconds <= MAX_SECONDS) return seconds
  throw new BadUsage(`--seconds is a number up to ${MAX_SECONDS}`)
}

async function vanity(input: VerbInput): Promise<void> {
  const prefix = (input.positionals[1] ?? '').toLowerCase()
  if (!/^[0-9a-z]{0,10}$/.test(prefix))
    throw new BadUsage('a prefix is up to 10 letters and digits')
  const found = await huntVanity({ prefix, seconds: secondsOf(input) }, ({ base36 }) => {
    if (input.flags['json'] !== true) process.stderr.write(`${base36}\n`)
  })
  if (!found)
    throw new BadUsage(
      `no key that begins with "${prefix}" within the time: give --seconds more, or a shorter prefix`,
    )
  const name = valueOf(input.flags, 'save')
  if (name !== undefined) {
    const publicKey = await withKeys(input, (keys) => keys.importSeed(name, found.seed))
    say(input, name, publicKey)
    return
  }
  const seed = toHex(found.seed)
  input.print(`name  ${found.base36}-pk.btlink\nseed  ${seed}`, { base36: found.base36, seed })
}

const parts: Record<string, (input: VerbInput) => Promise<void>> = {
  async new(input) {
    const name = nameOf(input)
    say(input, name, await withKeys(input, (keys) => keys.create(name)))
  },
  async list(input) {
    const listed = await withKeys(input, (keys) => keys.list())
    const keys = listed.map((key) => viewOf(key.name, key.publicKey))
    const text =
      keys.length === 0
        ? 'no keys yet'
        : table(
            ['KEY', 'NAME'],
            keys.map(({ name, host }) => [name, host]),
          )
    input.print(text, { keys })
  },
  async show(input) {
    const name = nameOf(input)
    const publicKey = await withKeys(input, (keys) => keys.publicKey(name))
    if (publicKey === undefined) throw new BadUsage(`there is no key "${name.slice(0, 64)}"`)
    say(input, name, publicKey)
  },
  async export(input) {
    const seed = toHex(await withKeys(input, (keys) => keys.exportSeed(nameOf(input))))
    if (input.flags['qr'] !== true) {
      input.print(seed, { seed })
      return
    }
    const { renderUnicodeCompact } = await import('uqr')
    // Drawn for the dark ground of most terminals; scanners read it either way round.
    const code = renderUnicodeCompact(seed, { border: 4, ecc: 'M' })
    input.print(`${code}\n${seed}`, { seed })
  },
  async import(input) {
    const name = nameOf(input)
    const seed = (input.positionals[2] ?? '').trim()
    if (!SEED_HEX.test(seed)) throw new BadUsage('the seed is 64 hex digits')
    say(input, name, await withKeys(input, (keys) => keys.importSeed(name, fromHex(seed))))
  },
  vanity,
}

export const keyVerb: Verb = {
  usage: [
    'key new NAME',
    'key list',
    'key show NAME',
    'key export NAME [--qr]',
    'key import NAME SEED',
    'key vanity [PREFIX] [--seconds N] [--save NAME]',
  ],
  help: `Publishing keys (Ed25519), files of mode 0600 below the state folder. Export gives the seed as 64 hex
digits, --qr also as a code to scan: whoever has it owns the name. Vanity looks for names that begin with PREFIX, or that are
ever shorter, on all processors.`,
  options: { seconds: { type: 'string' }, save: { type: 'string' }, qr: { type: 'boolean' } },
  takes: [1, 3],
  async run(input) {
    const name = input.positionals[0] ?? ''
    const part = parts[name]
    if (!part)
      throw new BadUsage(`key has no "${name.slice(0, 40)}": ${Object.keys(parts).join(', ')}`)
    await part(input)
  },
}
