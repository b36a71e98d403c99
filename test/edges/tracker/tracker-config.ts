/** The tracker's defaults on a free port. */
import { Value } from 'typebox/value'
import { trackerConfigSchema } from '../../../src/edges/tracker/config.ts'
import type { TrackerConfig } from '../../../src/edges/tracker/index.ts'

export const trackerConfig = (overrides: Partial<TrackerConfig> = {}): TrackerConfig => ({
  ...Value.Parse(trackerConfigSchema, Value.Create(trackerConfigSchema)),
  udp_port: 0,
  ...overrides,
})
