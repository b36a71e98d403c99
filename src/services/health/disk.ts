/** The disk as a part of the daemon: how much of it is free. */
import { statfs } from 'node:fs/promises'
import { formatSize } from '../../base/units.ts'
import type { HealthConfig } from './config.ts'
import type { HealthPart } from './health.ts'

/** @param where any folder on the disk that is looked at */
export function createDiskPart(
  where: string | { folder: string },
  config: Pick<HealthConfig, 'disk_low'>,
): HealthPart {
  const folder = typeof where === 'string' ? where : where.folder
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
