/**
 * The log that dm-log-writes keeps of a disk (Linux drivers/md/dm-log-writes.c, version 1): a
 * superblock, then for every write one sector that describes it and its data, in the order in which
 * the writes were completed. A prefix that ends at a flush is a disk as a power cut may leave it.
 */
const MAGIC = 0x6a_7366_7773_6872n
const VERSION = 1n
const ENTRY_BYTES = 32
/** FLUSH 1, FUA 2, DISCARD 4, MARK 8, METADATA 16. */
const KNOWN_FLAGS = 31n

export interface LogHead {
  entries: number
  sectorBytes: number
}

export interface LogEntry {
  /** Bytes from the beginning of the disk. */
  at: number
  /** Bytes that were written, or thrown away. */
  length: number
  flush: boolean
  fua: boolean
  discard: boolean
  /** What a program had the log say at this place. */
  mark: string | undefined
  /** Where the written bytes are in the log. */
  dataAt: number
}

export class BadLog extends Error {
  override name = 'BadLog'
}

function numberOf(value: bigint, what: string, most: number): number {
  if (value < 0n || value > BigInt(most)) throw new BadLog(`${what} ${value} is more than ${most}`)
  return Number(value)
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** @param sector the first 512 bytes of the log */
export function parseHead(sector: Uint8Array): LogHead {
  if (sector.length < 28) throw new BadLog(`${sector.length} bytes are no superblock`)
  const view = viewOf(sector)
  if (view.getBigUint64(0, true) !== MAGIC) throw new BadLog('it does not begin as a log of writes')
  const version = view.getBigUint64(8, true)
  if (version !== VERSION) throw new BadLog(`version ${version} is not ${VERSION}`)
  const entries = numberOf(view.getBigUint64(16, true), 'the number of entries', 100_000_000)
  const sectorBytes = view.getUint32(24, true)
  if (sectorBytes !== 512 && sectorBytes !== 4096) {
    throw new BadLog(`sectors of ${sectorBytes} bytes are not known`)
  }
  return { entries, sectorBytes }
}

/**
 * @param sector the bytes of one sector
 * @param logAt where in the log that sector is, in bytes
 */
export function parseEntry(
  sector: Uint8Array,
  logAt: number,
  { sectorBytes, diskBytes }: { sectorBytes: number; diskBytes: number },
): LogEntry & { nextAt: number } {
  if (sector.length !== sectorBytes) throw new BadLog(`the log ends within the entry at ${logAt}`)
  const view = viewOf(sector)
  const flags = view.getBigUint64(16, true)
  if ((flags & ~KNOWN_FLAGS) !== 0n) throw new BadLog(`flags ${flags} at ${logAt} are not known`)
  const has = (flag: bigint): boolean => (flags & flag) !== 0n
  const [discard, marks] = [has(4n), has(8n)]
  const most = Math.floor(diskBytes / sectorBytes)
  const sectors = numberOf(view.getBigUint64(8, true), `sectors at ${logAt}`, most)
  const first = numberOf(view.getBigUint64(0, true), `sector at ${logAt}`, most)
  if (first + sectors > most) throw new BadLog(`the entry at ${logAt} ends behind the disk`)
  const room = sectorBytes - ENTRY_BYTES
  const markBytes = numberOf(view.getBigUint64(24, true), `mark at ${logAt}`, room)
  if (!marks && markBytes > 0) throw new BadLog(`text without a mark at ${logAt}`)
  const dataAt = logAt + sectorBytes
  const text = sector.subarray(ENTRY_BYTES, ENTRY_BYTES + markBytes)
  return {
    at: first * sectorBytes,
    length: sectors * sectorBytes,
    flush: has(1n),
    fua: has(2n),
    discard,
    mark: marks ? new TextDecoder().decode(text).replace(/\0+$/, '') : undefined,
    dataAt,
    nextAt: dataAt + (discard || marks ? 0 : sectors * sectorBytes),
  }
}

/** Whether a power cut right behind it leaves a disk worth looking at. */
export const isPoint = (entry: LogEntry): boolean =>
  entry.flush || entry.fua || entry.mark !== undefined

/**
 * Goes through a log.
 * @param read gives that many bytes of the log, or fewer at its end
 * @throws BadLog
 */
export function* entriesOf(
  read: (at: number, length: number) => Uint8Array,
  diskBytes: number,
): Generator<LogEntry> {
  const { entries, sectorBytes } = parseHead(read(0, 512))
  let at = sectorBytes
  for (let seen = 0; seen < entries; seen++) {
    const entry = parseEntry(read(at, sectorBytes), at, { sectorBytes, diskBytes })
    yield entry
    at = entry.nextAt
  }
}

/** Does to the image what was done to the disk; a discarded range reads as zeros. */
export function apply(
  image: Uint8Array,
  entry: LogEntry,
  read: (at: number, length: number) => Uint8Array,
): void {
  if (entry.mark !== undefined || entry.length === 0) return
  if (entry.discard) {
    image.fill(0, entry.at, entry.at + entry.length)
    return
  }
  const data = read(entry.dataAt, entry.length)
  if (data.length !== entry.length)
    throw new BadLog(`the log ends within the data at ${entry.dataAt}`)
  image.set(data, entry.at)
}
