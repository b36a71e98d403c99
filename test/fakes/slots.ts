/** The slots of a machine without disks: what the port promises, in memory. */
import type { ImageFacts, Slot, Slots } from '../../src/base/ports/slots.ts'
import { declareError } from '../../src/base/errors.ts'
import { compareVersions } from '../../src/services/update/version.ts'

const NoSuchSlot = declareError('BTL_ERR_SLOTS_NO_SUCH_SLOT', 'version %s cannot boot: %s', 404)
const InstallFailed = declareError('BTL_ERR_SLOTS_INSTALL_FAILED', 'version %s: %s', 500)

export interface FakeSlots extends Slots {
  /** What `fileOf` says, by `role version`. */
  readonly files: Map<string, string>
  /** Times at which the machine was asked to start anew. */
  readonly reboots: (Date | undefined)[]
  /** What boots next. */
  next(): string | undefined
}

export interface FakeSlotsOptions {
  image: ImageFacts
  /** Versions whose files lie in the folder; all where it is not given. */
  available?: (version: string) => Promise<boolean>
}

export function createFakeSlots({ image, available }: FakeSlotsOptions): FakeSlots {
  let all: Slot[] = [{ version: image.version, isRunning: true, boot: 'good' }]
  const files = new Map<string, string>()
  const reboots: (Date | undefined)[] = []
  const newestFirst = () => all.toSorted((a, b) => compareVersions(b.version, a.version))
  const select = async (version: string): Promise<void> => {
    const slot = all.find((one) => one.version === version)
    if (!slot || slot.boot === 'incomplete') throw new NoSuchSlot(version, 'it is not here')
    all = all.map((one) => {
      const { triesLeft: _, ...rest } = one
      if (one.version === version && one.boot === 'bad')
        return { ...rest, boot: 'trying', triesLeft: 2 }
      return compareVersions(one.version, version) > 0 ? { ...rest, boot: 'bad' } : one
    })
  }
  return {
    files,
    reboots,
    next: () => newestFirst().find(({ boot }) => boot === 'good' || boot === 'trying')?.version,
    image: async () => image,
    slots: async () => newestFirst(),
    fileOf: async (role, version) => files.get(`${role} ${version}`),
    select,
    async install(version) {
      if (version === image.version) throw new InstallFailed(version, 'it is the version that runs')
      if (available && !(await available(version)))
        throw new InstallFailed(version, 'its files are not there')
      all = all.filter((one) => one.isRunning)
      all.push({ version, isRunning: false, boot: 'trying', triesLeft: 2 })
      await select(version)
    },
    async reboot(at) {
      reboots.push(at)
    },
  }
}
