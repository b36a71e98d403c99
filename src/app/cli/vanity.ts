/** Looks for short or telling keys on every processor. Each worker draws from the system's CSPRNG. */
import { generateKeyPairSync } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { encodeBase36 } from '../../base/names/index.ts'

export interface VanityHunt {
  /** Empty: ever shorter names. */
  prefix: string
  seconds: number
}

export interface VanityKey {
  base36: string
  /** 32 bytes. */
  seed: Uint8Array
}

const KEY_BYTES = 32
const isHunter = !isMainThread && (workerData as { vanity?: true } | null)?.vanity === true

function draw(): VanityKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  // RFC 8410: seed and raw key are the last 32 bytes of their DER forms.
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-KEY_BYTES)
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES)
  return { base36: encodeBase36(raw), seed: Uint8Array.from(seed) }
}

function hunt({ prefix, seconds }: VanityHunt): void {
  const until = performance.now() + seconds * 1000
  let best = Number.POSITIVE_INFINITY
  while (performance.now() < until) {
    const key = draw()
    if (!key.base36.startsWith(prefix) || key.base36.length >= best) continue
    best = key.base36.length
    parentPort?.postMessage(key)
    // Of names with the prefix the first is as good as any.
    if (prefix !== '') return
  }
}

if (isHunter) hunt(workerData as VanityHunt)

/**
 * The best key found in the time, or the first with the prefix.
 * @param onFound called for each that is better than those before
 */
export async function huntVanity(
  wanted: VanityHunt,
  onFound: (key: VanityKey) => void,
): Promise<VanityKey | undefined> {
  let best: VanityKey | undefined
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker(fileURLToPath(import.meta.url), { workerData: { ...wanted, vanity: true } }),
  )
  const stop = (): void => {
    for (const worker of workers) void worker.terminate()
  }
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.on('message', (key: VanityKey) => {
            if (best && key.base36.length >= best.base36.length) return
            best = key
            onFound(key)
            if (wanted.prefix !== '') stop()
          })
          worker.on('error', reject)
          worker.on('exit', () => resolve())
        }),
    ),
  )
  return best
}
