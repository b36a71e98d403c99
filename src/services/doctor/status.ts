/** What the running daemon says of itself, read with distrust: it may be of another version. */
import type { Health } from '../../base/ports/component.ts'
import type { Box } from './ports.ts'

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

export interface BoxStatus {
  uptimeSeconds: number
  components: Record<string, Health>
  dht: { nodes: number; readOnly: boolean } | undefined
  torrents: { peers: number; complete: boolean; name: string }[]
  /** `unset`, `floor` or `synced`. */
  clock: string | undefined
}

/** Undefined while no daemon answers. */
export async function statusOf(box: Box): Promise<BoxStatus | undefined> {
  const answer = await box.ask('/api/status')
  if (!isFields(answer)) return undefined
  const { dht, torrents, clock } = answer
  const state = fieldsOf(clock)['state']
  return {
    uptimeSeconds: numberOf(answer['uptimeSeconds']),
    components: fieldsOf(fieldsOf(answer['health'])['components']) as Record<string, Health>,
    dht: isFields(dht)
      ? {
          nodes: numberOf(dht['nodes4']) + numberOf(dht['nodes6']),
          readOnly: dht['readOnly'] === true,
        }
      : undefined,
    torrents: (Array.isArray(torrents) ? torrents : []).filter(isFields).map((one) => ({
      peers: numberOf(one['peers']),
      complete: one['complete'] === true,
      name: typeof one['infoHash'] === 'string' ? one['infoHash'] : '',
    })),
    clock: typeof state === 'string' ? state : undefined,
  }
}

/** One part of the daemon's health; undefined while no daemon answers, or where it has no such part. */
export async function partOf(box: Box, name: string): Promise<Health | undefined> {
  return (await statusOf(box))?.components[name]
}
