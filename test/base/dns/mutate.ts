/** Packets a little wrong: sound and broken ones with bytes changed, cut, doubled and pointed elsewhere. */
import { brokenQueries, brokenResponses, longestChain } from '../../vectors/broken-dns.ts'
import { captured } from './messages.ts'

export type Dice = (sides: number) => number

/** Mulberry32: small, and the same everywhere. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

const seeds = [
  ...Object.values(captured),
  longestChain,
  ...brokenQueries.map(({ bytes }) => bytes),
  ...brokenResponses.map(({ bytes }) => bytes),
].filter((bytes) => bytes.length > 0)

/** Bytes that mean something to a reader of names, counts and lengths. */
const TELLING = [0, 1, 2, 3, 12, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff]

export function mutated(dice: Dice): Uint8Array {
  const seed = seeds[dice(seeds.length)] ?? new Uint8Array(12)
  let bytes = Uint8Array.from(seed)
  for (let left = 1 + dice(4); left > 0; left--) {
    const at = dice(bytes.length || 1)
    switch (dice(6)) {
      case 0:
        bytes[at] = dice(256)
        break
      case 1:
        bytes[at] = TELLING[dice(TELLING.length)] ?? 0
        break
      case 2:
        bytes = bytes.slice(0, at)
        break
      case 3:
        // A pointer to anywhere in the packet.
        bytes[at] = 0xc0
        bytes[at + 1] = dice(bytes.length || 1)
        break
      case 4: {
        const piece = bytes.slice(at, at + dice(40))
        bytes = Uint8Array.from([...bytes.slice(0, at), ...piece, ...bytes.slice(at)])
        break
      }
      default:
        // A count of the header.
        bytes[4 + dice(8)] = dice(4)
    }
  }
  return bytes
}
