/**
 * The first boot code of a Pi 3 and Zero 2 W reads an MBR only, and a FAT partition only as its first entry.
 * Everything else reads the GPT: an MBR with an entry of type EE is a hybrid one, which Linux and U-Boot take
 * for the sign of a GPT (UEFI 2.10, 5.2.3), and which systemd-repart leaves as it is.
 */
import { type FileHandle, open } from 'node:fs/promises'

const SECTOR = 512
// UEFI 2.10, table 5.1: after 446 bytes of code, four entries of 16 bytes, and 55 AA.
const ENTRIES = 446
const FAT32_LBA = 0x0c
const GPT_PROTECTIVE = 0xee
// C12A7328-F81F-11D2-BA4B-00A0C93EC93B as it lies on a disk.
const ESP = '28732ac11ff8d211ba4b00a0c93ec93b'

export interface Extent {
  /** Sectors of 512 bytes. */
  first: number
  sectors: number
}

async function espOf(file: FileHandle): Promise<Extent> {
  const header = await read(file, SECTOR, SECTOR)
  if (header.toString('latin1', 0, 8) !== 'EFI PART') throw new Error('the disk has no GPT')
  const entry = await read(file, Number(header.readBigUInt64LE(72)) * SECTOR, 128)
  if (entry.toString('hex', 0, 16) !== ESP) throw new Error('the first partition is no ESP')
  const first = Number(entry.readBigUInt64LE(32))
  return { first, sectors: Number(entry.readBigUInt64LE(40)) - first + 1 }
}

/** Makes the MBR of a disk with a GPT a hybrid one: its first entry is the ESP, said to be FAT32. */
export async function hybridMbr(disk: string): Promise<void> {
  const file = await open(disk, 'r+')
  try {
    const esp = await espOf(file)
    const table = Buffer.alloc(4 * 16)
    writeEntry(table, 0, FAT32_LBA, esp)
    // From the GPT's header to the partition: Linux asks that an entry EE begins at sector 1.
    writeEntry(table, 1, GPT_PROTECTIVE, { first: 1, sectors: esp.first - 1 })
    await file.write(table, 0, table.length, ENTRIES)
  } finally {
    await file.close()
  }
}

/**
 * Where the FAT partition is: by the GPT, whose first partition has to be an ESP, and by the rules of a Pi's
 * boot code, where that finds one.
 */
export async function fatOf(disk: string): Promise<{ byGpt: Extent; byMbr?: Extent | undefined }> {
  const file = await open(disk, 'r')
  try {
    return { byGpt: await espOf(file), byMbr: await firstOfMbr(file) }
  } finally {
    await file.close()
  }
}

function writeEntry(table: Buffer, index: number, type: number, { first, sectors }: Extent): void {
  const at = index * 16
  // Cylinders and heads "beyond what can be said": sectors count.
  table.set([0, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff], at)
  table.writeUInt32LE(first, at + 8)
  table.writeUInt32LE(sectors, at + 12)
}

async function firstOfMbr(file: FileHandle): Promise<Extent | undefined> {
  const sector = await read(file, 0, SECTOR)
  if (sector.readUInt16BE(510) !== 0x55aa || sector[ENTRIES + 4] !== FAT32_LBA) return undefined
  return { first: sector.readUInt32LE(ENTRIES + 8), sectors: sector.readUInt32LE(ENTRIES + 12) }
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  if (bytesRead < length) throw new Error(`the disk ends before byte ${at + length}`)
  return buffer
}
