/** From a source to a release that its vendor signed: nothing in it is believed before. */
import { messageOf } from '../../base/errors.ts'
import { BadRelease, BadSignature, NotForUs, Unreachable } from './errors.ts'
import { type MinisignKey, verifyMinisign } from './minisign.ts'
import {
  MANIFEST,
  MAX_MANIFEST_BYTES,
  MAX_SIGNATURE_BYTES,
  MAX_SUMS_BYTES,
  Fault,
  parseRelease,
  parseSums,
  type Release,
  sha256Hex,
  SIGNATURE,
  SUMS,
} from './release.ts'
import { readSmall, type ReleaseSource } from './source.ts'
import { compareVersions } from './version.ts'

// A few kilobytes. Whoever gives a byte now and then would hold up the other sources for ever.
const PAPERS_MS = 10 * 60_000

export interface Machine {
  /** Version of the running image. */
  version: string
  architecture: string
  /** Undefined where the image does not say. */
  flavour?: string
}

export interface OpenedRelease {
  release: Release
  /** The signed files as they came, for whoever checks them again. */
  papers: { name: string; bytes: Uint8Array }[]
}

async function readPaper(
  source: ReleaseSource,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await readSmall(source, name, maxBytes, signal)
  if (!bytes) throw new BadRelease(source.where, `${name} is longer than ${maxBytes} bytes`)
  return bytes
}

/** The files of `release.json` are those of `SHA256SUMS` where both name them. */
function checkSums(release: Release, sums: Map<string, string>): void {
  for (const file of release.files.flatMap((one) => [one, ...one.packs])) {
    const stated = sums.get(file.name)
    if (stated !== undefined && stated !== file.sha256)
      throw new Fault(`${file.name} has two hashes`)
  }
}

async function readRelease(
  source: ReleaseSource,
  key: MinisignKey,
  signal: AbortSignal,
): Promise<OpenedRelease> {
  const sums = await readPaper(source, SUMS, MAX_SUMS_BYTES, signal)
  const signature = await readPaper(source, SIGNATURE, MAX_SIGNATURE_BYTES, signal)
  const verdict = verifyMinisign(sums, Buffer.from(signature).toString('utf8'), key)
  if ('fault' in verdict) throw new BadSignature(source.where, verdict.fault)
  const manifest = await readPaper(source, MANIFEST, MAX_MANIFEST_BYTES, signal)
  try {
    const hashes = parseSums(sums)
    if (hashes.get(MANIFEST) !== sha256Hex(manifest))
      throw new Fault(`${MANIFEST} is not the one that is signed`)
    const release = parseRelease(manifest)
    checkSums(release, hashes)
    const papers = [
      { name: MANIFEST, bytes: manifest },
      { name: SIGNATURE, bytes: signature },
      { name: SUMS, bytes: sums },
    ]
    return { release, papers }
  } catch (error) {
    if (error instanceof Fault) throw new BadRelease(source.where, messageOf(error))
    throw error
  }
}

/**
 * Reads and verifies what a release says of itself.
 * @throws BadSignature where it is not the vendor's, BadRelease, Unreachable
 */
export async function openRelease(
  source: ReleaseSource,
  key: MinisignKey,
  signal: AbortSignal,
  withinMs = PAPERS_MS,
): Promise<OpenedRelease> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(withinMs)])
  try {
    return await readRelease(source, key, limit)
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error
    throw new Unreachable(source.where, 'it is too slow', { cause: error })
  }
}

/** Why this machine cannot or should not have the release; undefined where it can. */
export function whyNot(
  release: Release,
  machine: Machine,
  { allowDowngrade = false }: { allowDowngrade?: boolean } = {},
): string | undefined {
  const { architecture, flavour, minimum, version } = release
  if (architecture !== machine.architecture)
    return `it is for ${architecture}, this machine is ${machine.architecture}`
  if (machine.flavour !== undefined && flavour !== machine.flavour)
    return `it is the image "${flavour}", this is "${machine.flavour}"`
  const age = compareVersions(version, machine.version)
  if (age === 0) return 'it is the version that runs'
  if (age < 0 && !allowDowngrade)
    return `it is older than ${machine.version}, which runs: --allow-downgrade installs it`
  if (minimum !== undefined && compareVersions(machine.version, minimum) < 0)
    return `it needs ${minimum} first, and ${machine.version} runs`
  return undefined
}

/** @throws NotForUs with the reason of `whyNot` */
export function requireFit(
  release: Release,
  machine: Machine,
  options: { allowDowngrade?: boolean },
): void {
  const why = whyNot(release, machine, options)
  if (why !== undefined) throw new NotForUs(release.version, why)
}
