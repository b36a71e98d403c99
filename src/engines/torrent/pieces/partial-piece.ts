/** A piece on its way: which blocks are there, who was asked for the rest, and who sent what. */
export const BLOCK_BYTES = 16 * 1024

export interface Asked<Source> {
  source: Source
  at: number
}

export interface PartialPiece<Source> {
  readonly index: number
  readonly length: number
  readonly blocks: number
  /** Nobody else is asked: the last copy of the piece was bad and came from several. */
  only: Source | undefined
  readonly bytes: Uint8Array
  blockLength(block: number): number
  /** The first block nobody was asked for, or -1. */
  free(): number
  isThere(block: number): boolean
  asked(block: number): readonly Asked<Source>[]
  ask(block: number, source: Source, at: number): void
  /** The source will not send the block after all. */
  release(block: number, source: Source): void
  /** Returns the others that were asked for the block too; undefined where it was there or has a wrong length. */
  put(block: number, source: Source, bytes: Uint8Array): Asked<Source>[] | undefined
  readonly complete: boolean
  readonly untouched: boolean
  /** Who sent at least one of the blocks. */
  senders(): Set<Source>
}

export function createPartialPiece<Source>(index: number, length: number): PartialPiece<Source> {
  const blocks = Math.ceil(length / BLOCK_BYTES)
  const bytes = new Uint8Array(length)
  const asked: Asked<Source>[][] = Array.from({ length: blocks }, () => [])
  const sender: (Source | undefined)[] = Array.from({ length: blocks }, () => undefined)
  let missing = blocks
  let firstFree = 0

  const blockLength = (block: number) => Math.min(BLOCK_BYTES, length - block * BLOCK_BYTES)

  return {
    index,
    length,
    blocks,
    bytes,
    only: undefined,
    blockLength,
    free() {
      while (
        firstFree < blocks &&
        (sender[firstFree] !== undefined || (asked[firstFree]?.length ?? 0) > 0)
      )
        firstFree++
      return firstFree < blocks ? firstFree : -1
    },
    isThere: (block) => sender[block] !== undefined,
    asked: (block) => asked[block] ?? [],
    ask(block, source, at) {
      asked[block]?.push({ source, at })
    },
    release(block, source) {
      const list = asked[block]
      const at = list?.findIndex((one) => one.source === source) ?? -1
      if (list === undefined || at < 0) return
      list.splice(at, 1)
      if (list.length === 0) firstFree = Math.min(firstFree, block)
    },
    put(block, source, part) {
      const list = asked[block]
      if (list === undefined || sender[block] !== undefined || part.length !== blockLength(block))
        return undefined
      bytes.set(part, block * BLOCK_BYTES)
      sender[block] = source
      missing--
      return list.splice(0).filter((one) => one.source !== source)
    },
    get complete() {
      return missing === 0
    },
    get untouched() {
      return missing === blocks && asked.every((list) => list.length === 0)
    },
    senders: () => new Set(sender.filter((one) => one !== undefined)),
  }
}
