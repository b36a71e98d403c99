/** Counters and gauges in the text format of Prometheus (0.0.4). */
import type { Stats } from '../../base/ports/component.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** camelCase and anything else that is no metric name becomes snake_case. */
const metricName = (text: string): string =>
  text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^a-zA-Z0-9]+/g, '_')
    .toLowerCase()

/** One line a value, `<room>_<counter> <value>`, in order of the names. */
export function metricsText(rooms: Record<string, Stats>): string {
  const lines = Object.entries(rooms).flatMap(([room, stats]) =>
    Object.entries(stats)
      .filter(([, value]) => Number.isFinite(value))
      .map(([key, value]) => {
        const name = metricName(key)
        const prefix = metricName(room)
        return `${name.startsWith(`${prefix}_`) ? name : `${prefix}_${name}`} ${value}\n`
      }),
  )
  return lines.sort().join('')
}
