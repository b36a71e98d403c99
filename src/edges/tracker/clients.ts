/** Which program asks, by the beginning of its peer id (BEP 20), and what is peculiar about it. */

export interface Client {
  readonly name: string
  /** Whether its key is the same in every announce; without that it proves nothing. */
  readonly steadyKey: boolean
}

const DASH = 0x2d
const client = (name: string, steadyKey = true): Client => ({ name, steadyKey })

const WEBTORRENT = client('webtorrent')
const UTORRENT = client('utorrent')
const OTHER = client('other')
/** aria2 draws a new key for every announce over UDP, also for the one that says it stopped. */
const ARIA2 = client('aria2', false)

const code = (letters: string): number => (letters.charCodeAt(0) << 8) | letters.charCodeAt(1)

/** `-XX....-`: two letters of the program, four digits of its version. */
const BY_LETTERS = new Map<number, Client>([
  [code('qB'), client('qbittorrent')],
  [code('TR'), client('transmission')],
  [code('DE'), client('deluge')],
  [code('lt'), client('rtorrent')],
  [code('LT'), client('libtorrent')],
  [code('WW'), WEBTORRENT],
  [code('WD'), WEBTORRENT],
  [code('UT'), UTORRENT],
  [code('UM'), UTORRENT],
  [code('UW'), UTORRENT],
])

export const CLIENT_NAMES: readonly string[] = [
  ...new Set([...BY_LETTERS.values(), ARIA2, OTHER].map(({ name }) => name)),
]

/** @param peerId 20 bytes */
export function clientOf(peerId: Uint8Array): Client {
  const [first = 0, second = 0, third = 0] = peerId
  if (first === DASH) return BY_LETTERS.get((second << 8) | third) ?? OTHER
  // `A2-1-36-0-` and ten random bytes.
  return ((first << 8) | second) === code('A2') && third === DASH ? ARIA2 : OTHER
}
