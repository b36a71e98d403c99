/** A signed release 0.2.0, and an updater of a box that runs 0.1.0. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createUpdater } from '../../../src/services/update/updater.ts'
import { createFakeSlots } from '../../fakes/slots.ts'
import { builtImage, vendor } from '../../support/releases.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

export const MACHINE = {
  version: '0.1.0',
  architecture: process.arch === 'x64' ? 'amd64' : 'arm64',
  flavour: 'pc',
}

/** @param fetched where the box keeps what it fetches, in place of a folder of its own */
export async function releasedBox(
  t: Cleanup,
  { rootBytes, fetched }: { rootBytes: number; fetched?: string },
) {
  const folder = await tempFolder(t, 'update')
  const signer = await vendor(t)
  const root = randomBytes(rootBytes)
  const built = await builtImage(join(folder, '0.2.0'), '0.2.0', { root })
  const release = await signer.release(built, join(folder, 'release'), { packsOnly: true })
  const slots = createFakeSlots({ image: MACHINE, available: async () => true })
  const fetchFolder = fetched ?? join(folder, 'fetched')
  const installed = join(folder, 'installed')
  const updater = createUpdater(
    { slots, key: signer.key, machine: MACHINE },
    { fetchFolder, installFolder: installed },
  )
  return { updater, fetched: fetchFolder, installed, release, vendor: signer }
}
