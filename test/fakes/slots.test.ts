import { slotsCompliance } from '../compliance/slots.ts'
import { createFakeSlots } from './slots.ts'

slotsCompliance('the fake', async () => {
  const delivered = new Set<string>()
  const slots = createFakeSlots({
    image: { version: '0.1.0', architecture: 'amd64' },
    available: async (version) => delivered.has(version),
  })
  return { slots, deliver: async (version) => void delivered.add(version) }
})
