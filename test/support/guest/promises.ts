/** What a box has acknowledged, and whether it still has it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pageOf, type GuestBox } from './box.ts'

/** As printed: `acked page KEY N SEQ INFOHASH PUBLICKEY` and its like. */
export interface Promises {
  /** key, n, seq, infohash, public key */
  pages: [string, number, number, string, string][]
  /** name, public key */
  keys: [string, string][]
  pins: string[]
  /** Fingerprint of the root, once it was shown to anybody. */
  root: string | undefined
  /** The list of link domains that was acknowledged last, and one that was asked for after it. */
  links: string
  linksAsked: string
}

export const noPromises = (): Promises => ({
  pages: [],
  keys: [],
  pins: [],
  root: undefined,
  links: '',
  linksAsked: '',
})

/** Takes in what one machine printed. */
export function takeIn(promises: Promises, lines: readonly string[]): number {
  let acks = 0
  for (const line of lines) {
    const [word, what, ...rest] = line.split(' ')
    const [one = '', two = '', three = '', four = '', five = ''] = rest
    if (word === 'asked' && what === 'links') promises.linksAsked = one
    if (word !== 'acked') continue
    acks++
    if (what === 'page') promises.pages.push([one, Number(two), Number(three), four, five])
    if (what === 'key') promises.keys.push([one, two])
    if (what === 'pin') promises.pins.push(one)
    if (what === 'root') promises.root ??= one
    if (what === 'links') promises.links = one
  }
  return acks
}

/** Of `GET /api/trust`, as far as it is looked at. */
export interface TrustView {
  names: { sha256: string }
  linkDomains: { stated: string[] }
}

export const inOrder = (a: string, b: string): number => (a < b ? -1 : 1)

const sha = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** The page as it lies below the state; its files come in the order of their names. */
export const pageFile = (state: string, infoHash: string): string =>
  join(state, 'store/torrents', infoHash, '0')

/** One line for each thing that was acknowledged and is not there. */
export async function lostOf(box: GuestBox, promises: Promises): Promise<string[]> {
  const lost: string[] = []
  const { json: trust } = await box.ask<TrustView>('GET', '/api/trust')
  if (promises.root !== undefined && trust.names.sha256 !== promises.root) {
    lost.push(`root ${promises.root}: now ${trust.names.sha256}`)
  }
  const stated = trust.linkDomains.stated.toSorted(inOrder).join(',')
  if (stated !== promises.links && stated !== promises.linksAsked) {
    lost.push(`links: ${promises.links} or ${promises.linksAsked}, found ${stated}`)
  }
  const { json: all } = await box.ask<{ torrents: { infoHash: string }[] }>('GET', '/api/sites')
  const pinned = new Set(all.torrents.map(({ infoHash }) => infoHash))
  for (const pin of promises.pins) if (!pinned.has(pin)) lost.push(`pin ${pin}`)
  for (const [name, publicKey] of promises.keys) {
    try {
      const file = readFileSync(join(box.state, 'keys', `${name}.key`), 'utf8')
      if (!/^[0-9a-f]{64}\s*$/.test(file)) lost.push(`key ${name}: ${file.length} bytes`)
    } catch (error) {
      lost.push(`key ${name} ${publicKey}: ${String(error)}`)
    }
  }
  for (const key of new Set(promises.pages.map(([name]) => name))) {
    const { json } = await box.ask<{ versions?: { seq: number; infoHash: string }[] }>(
      'GET',
      `/api/sites/${key}/versions`,
    )
    const versions = new Map<number, string>()
    for (const { seq, infoHash } of json.versions ?? []) {
      versions.set(seq, infoHash)
    }
    for (const [name, n, seq, infoHash] of promises.pages) {
      if (name === key && versions.get(seq) !== infoHash) {
        lost.push(`page ${key} ${n} seq ${seq}: ${String(versions.get(seq))} for ${infoHash}`)
      }
    }
  }
  for (const [key, n, , infoHash] of promises.pages.slice(-200)) {
    try {
      if (sha(readFileSync(pageFile(box.state, infoHash))) !== sha(pageOf(key, n))) {
        lost.push(`content of ${infoHash}`)
      }
    } catch (error) {
      lost.push(`content of ${infoHash}: ${String(error)}`)
    }
  }
  for (const [key, n, , infoHash] of promises.pages.slice(-3)) {
    const { status, body } = await box.get(`${infoHash}-ih.btlink`, '/index.html')
    if (status !== 200 || body.toString() !== pageOf(key, n)) {
      lost.push(`page ${infoHash} over HTTP: ${status}`)
    }
  }
  return lost
}
