/** The boot code of a Pi 3 and Zero 2 W reads an MBR only, and FAT only as its first entry. */
import { open } from 'node:fs/promises'

// The first entry's type: 446 bytes of code, then status and three bytes of old geometry.
const TYPE_OF_FIRST_ENTRY = 450
const FAT32_LBA = 0x0c

/** Says FAT32 in the first entry of the hybrid MBR that sgdisk wrote with the GPT's type. */
export async function hybridMbr(disk: string): Promise<void> {
  const file = await open(disk, 'r+')
  try {
    await file.write(Uint8Array.of(FAT32_LBA), 0, 1, TYPE_OF_FIRST_ENTRY)
  } finally {
    await file.close()
  }
}
