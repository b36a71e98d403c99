import { complyAsWebRtc } from '../../compliance/web-rtc.ts'
import type { Cleanup } from '../../support/temp.ts'
import { startWebRtc } from './support.ts'

complyAsWebRtc('the room', async () => {
  const cleanups: (() => void | Promise<void>)[] = []
  const t: Cleanup = { after: (fn) => void cleanups.push(fn) }
  const [a, b] = await Promise.all([startWebRtc(t), startWebRtc(t)])
  return {
    a,
    b,
    async stop() {
      for (const cleanup of cleanups) await cleanup()
    },
  }
})
