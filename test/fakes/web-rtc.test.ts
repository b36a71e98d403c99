import { complyAsWebRtc } from '../compliance/web-rtc.ts'
import { createFakeWebRtcNet } from './web-rtc.ts'

complyAsWebRtc('the fake WebRTC', async () => {
  const net = createFakeWebRtcNet()
  return { a: net.peer(), b: net.peer(), async stop() {} }
})
