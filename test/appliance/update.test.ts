/**
 * Updates on a machine's disk: real releases, real signatures, systemd-sysupdate of trixie on a real GPT
 * disk image. What is not real here is the boot: test/appliance/update-boot.test.ts has that.
 */
import { slotsCompliance } from '../compliance/slots.ts'
import { missing } from '../support/processes.ts'
import { builtImage } from '../support/releases.ts'
import { SLOT_DISK_NEEDS, slotDisk, slotsOf } from '../support/slot-disk.ts'

const skip = missing(...SLOT_DISK_NEEDS)

slotsCompliance(
  'systemd-sysupdate on a disk image',
  async (t) => {
    const disk = await slotDisk(t)
    return {
      slots: slotsOf(disk),
      deliver: async (version) =>
        void (await builtImage(disk.options.folder, version, {
          root: Buffer.alloc(1024 * 1024, version),
        })),
    }
  },
  { skip },
)
