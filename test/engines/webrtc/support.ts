/** Instances of the room for tests: on any UDP port, with no servers. */
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { WebRtc } from '../../../src/base/ports/web-rtc.ts'
import type { WebRtcConfig } from '../../../src/engines/webrtc/config.ts'
import {
  createWebRtc,
  type WebRtcDeps,
  type WebRtcLimits,
  webRtcLimits,
} from '../../../src/engines/webrtc/web-rtc.ts'
import { webRtcConfig } from './config.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export interface StartOptions {
  config?: Partial<WebRtcConfig>
  limits?: Partial<WebRtcLimits>
  deps?: Partial<WebRtcDeps>
}

/** A started room in a folder of its own, stopped when the test ends. */
export async function startWebRtc(
  t: Cleanup,
  { config = {}, limits = {}, deps = {} }: StartOptions = {},
): Promise<WebRtc> {
  const runDir = deps.runDir ?? (await tempFolder(t, 'webrtc'))
  const room = createWebRtc(
    { log: silentLog, clock: systemClock, ...deps, runDir },
    { ...webRtcConfig, ...config },
    { ...webRtcLimits, ...limits },
  )
  await room.start(new AbortController().signal)
  finallyDo(t, () => room.stop())
  return room
}
