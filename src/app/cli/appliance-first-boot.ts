/** `appliance first-boot`: from the boot partition into the box. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFirstBoot, PLACES, type Told } from '../../services/first-boot/index.ts'
import { secretsIn } from '../config/pages.ts'
import { checkConfig } from '../roles/check-config.ts'
import { type VerbInput, valueOf } from './verb.ts'

const BOOT = '/boot'
const GROUP = 'btlinkd'

/** group(5); undefined where this machine has no such group. */
async function groupId(name: string): Promise<number | undefined> {
  const text = await readFile('/etc/group', 'utf8').catch(() => '')
  const id = new RegExp(`^${name}:[^:]*:(\\d+):`, 'm').exec(text)?.[1]
  return id === undefined ? undefined : Number(id)
}

/** Every place below another root, for tests and for a card in a reader. */
export const placesBelow = (root: string) =>
  Object.fromEntries(Object.entries(PLACES).map(([name, path]) => [name, join(root, path)]))

const describe = ({ taken, faults, notes }: Told): string =>
  [
    ...taken.map((line) => `taken: ${line}`),
    ...faults.map((line) => `not taken: ${line}`),
    ...notes,
  ].join('\n') || 'nothing new on the boot partition'

export async function firstBoot(input: VerbInput): Promise<void> {
  const root = valueOf(input.flags, 'root')
  const isReal = root === undefined
  const told = await createFirstBoot({
    folder: valueOf(input.flags, 'boot') ?? join(root ?? '/', BOOT),
    places: isReal ? {} : placesBelow(root),
    gid: isReal ? await groupId(GROUP) : undefined,
    check: async (file) => (await checkConfig(file)).mistakes,
    secretsIn,
    setHostname: async (name) => {
      // hostname(7): what the kernel says is what DHCP and mDNS tell.
      if (isReal) await writeFile('/proc/sys/kernel/hostname', name)
    },
  }).run()
  input.print(describe(told), told)
}
