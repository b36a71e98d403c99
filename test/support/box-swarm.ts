/** A box's swarms as its API shows them, and links as people open them. */
import assert from 'node:assert/strict'
import type { TestDaemon } from './daemon.ts'
import { until } from './until.ts'

export interface BoxSwarm {
  status: { complete: boolean }
  peers: { kind: string; source: string; client?: string }[]
}

/** What `btlinkd peers` shows. */
export async function swarmOf(box: TestDaemon, infoHash: string): Promise<BoxSwarm> {
  const answer = await box.api(`/api/sites/${infoHash}/peers`)
  assert.equal(answer.status, 200, answer.text())
  return answer.json() as BoxSwarm
}

/** Opens a magnet link in the box and waits until it knows the torrent's files. */
export async function openMagnet(box: TestDaemon, magnet: string, infoHash: string): Promise<void> {
  const root = `localhost:${box.port('http')}`
  const went = await box.get(root, `/go?to=${encodeURIComponent(magnet)}`)
  assert.equal(went.status, 303, went.text())
  await until('the box to know the torrent', async () => {
    const { status } = await box.get(`${infoHash}-ih.btlink`, '/.btlink/info.json')
    return status === 200
  })
}
