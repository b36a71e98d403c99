/** Addresses of servers that are known by name: asked of the bootstrap servers, remembered, kept when nobody answers. */
import { randomInt } from 'node:crypto'
import { CLASS, TYPE } from '../../base/dns/codes.ts'
import { nameOfText } from '../../base/dns/name.ts'
import { readAddress } from '../../base/dns/record-data.ts'
import { createSingleFlight } from '../../base/single-flight.ts'
import { UpstreamBadAnswer } from './errors.ts'
import type { Now } from './health.ts'
import type { Server } from './server.ts'

const MIN_KEPT_MS = 60_000
const MAX_KEPT_MS = 3_600_000
const MAX_ADDRESSES = 16

interface Entry {
  addresses: string[]
  until: number
}

export function createAddressBook(bootstrap: () => readonly Server[], now: Now) {
  // As many as servers by name are configured.
  const known = new Map<string, Entry>()
  const flights = createSingleFlight<Entry>()

  async function askOne(server: Server, text: string, signal: AbortSignal): Promise<Entry> {
    const name = nameOfText(text)
    if (name === undefined) throw new UpstreamBadAnswer(text, 'it is no name')
    for (const type of [TYPE.A, TYPE.AAAA]) {
      const { message } = await server.ask({ name, type, class: CLASS.IN }, signal)
      const found = message.answers.filter((record) => record.type === type).slice(0, MAX_ADDRESSES)
      if (found.length === 0) continue
      const ttlMs = Math.min(...found.map((record) => record.ttl)) * 1000
      return {
        addresses: found.map((record) => readAddress(record.data)),
        until: now() + Math.min(MAX_KEPT_MS, Math.max(MIN_KEPT_MS, ttlMs)),
      }
    }
    throw new UpstreamBadAnswer(server.spec.text, `${text} has no address`)
  }

  async function askAll(text: string, signal: AbortSignal): Promise<Entry> {
    let last: unknown = new UpstreamBadAnswer(text, 'no bootstrap server knows its address')
    for (const server of bootstrap()) {
      try {
        const entry = await askOne(server, text, signal)
        known.set(text, entry)
        return entry
      } catch (error) {
        signal.throwIfAborted()
        last = error
      }
    }
    throw last
  }

  return {
    /** One of its addresses, another one each time: where one is dead the next try may hit a live one. */
    async addressOf(name: string, signal: AbortSignal): Promise<string> {
      const kept = known.get(name)
      const pick = ({ addresses }: Entry) => addresses[randomInt(addresses.length)] ?? ''
      if (kept && now() < kept.until) return pick(kept)
      try {
        return pick(await flights.run(name, (inner) => askAll(name, inner), signal))
      } catch (error) {
        if (signal.aborted || !kept) throw error
        return pick(kept)
      }
    },
    stop: () => flights.stop(),
  }
}

export type AddressBook = ReturnType<typeof createAddressBook>
