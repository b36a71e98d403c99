/** A room in another process, in another network where asked; see room-child.ts. */
import { fileURLToPath } from 'node:url'
import type { WebRtcOffer } from '../../../src/base/ports/web-rtc.ts'
import { type Running, start } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import type { Command } from './room-child.ts'

const CHILD = fileURLToPath(new URL('room-child.ts', import.meta.url))

export interface RemoteRoom {
  readonly process: Running
  answer(sdp: string): Promise<string>
  offer(): Promise<WebRtcOffer>
  accept(offerId: string, sdp: string): Promise<void>
  /** By Multicast DNS of our own. */
  resolve(name: string): Promise<string | undefined>
  stats(): Promise<Record<string, number>>
  /** The next channel that opens. */
  opened(): Promise<{ host: string }>
}

export async function remoteRoom(
  t: Cleanup,
  mode: 'echo' | 'sink' | 'source',
  netns?: string,
): Promise<RemoteRoom> {
  const process_ = start(t, process.execPath, [CHILD, mode, await tempFolder(t, 'room')], { netns })
  await process_.line((line) => line.includes('"ready"'))
  let lastId = 0
  let opened = 0
  async function call<Result>(command: Omit<Command, 'id'>): Promise<Result> {
    const id = ++lastId
    process_.send(JSON.stringify({ id, ...command }))
    const line = await process_.line(
      (text) => text.startsWith(`{"id":${id},`) || text === `{"id":${id}}`,
    )
    const result = JSON.parse(line) as Result & { code?: string; message?: string }
    if (result.code !== undefined) throw new Error(`${result.code}: ${result.message}`)
    return result
  }
  return {
    process: process_,
    answer: async (sdp) => (await call<{ sdp: string }>({ do: 'answer', sdp })).sdp,
    async offer() {
      const { offers } = await call<{ offers: WebRtcOffer[] }>({ do: 'offer' })
      const [offer] = offers
      if (!offer) throw new Error('no offer')
      return offer
    },
    accept: async (offerId, sdp) => void (await call({ do: 'accept', offerId, sdp })),
    resolve: async (name) => (await call<{ address?: string }>({ do: 'resolve', name })).address,
    stats: async () => (await call<{ stats: Record<string, number> }>({ do: 'stats' })).stats,
    async opened() {
      const nth = ++opened
      let seen = 0
      const line = await process_.line((text) => text.includes('"open"') && ++seen === nth)
      return JSON.parse(line) as { host: string }
    },
  }
}
