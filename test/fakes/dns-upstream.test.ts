import { complyAsDnsUpstream } from '../compliance/dns-upstream.ts'
import { createFakeUpstream } from './dns-upstream.ts'

complyAsDnsUpstream('the fake DNS upstream', async () => {
  const upstream = createFakeUpstream()
  return { upstream, stop: async () => upstream.stop() }
})
