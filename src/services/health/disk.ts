/** The disk as a part of the daemon: how much of it is free. */
import { statfs } from 'node:fs/promises'
import { formatSize } from '../../base/units.ts'
import type { HealthConfig } from './config.ts'
import type { HealthPart } from './health.ts'

export interface DiskDeps {
  /** Any folder on the disk that is looked at. */
  folder: string
}

export function createDiskPart(
  { folder }: DiskDeps,
  config: Pick<HealthConfig, 'disk_low'>,
): HealthPart {
  return {
    name: 'disk',
    async health() {
      const { bavail, bsize } = await statfs(folder)
      const free = bavail * bsize
      if (free >= config.disk_low) return { status: 'ok', score: 100 }
      const score = Math.floor((80 * free) / config.disk_low)
      return { status: 'degraded', score, detail: `${formatSize(free)} free in ${folder}` }
    },
  }
}
