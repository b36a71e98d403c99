export { NotAnImage } from './errors.ts'
export { createSlots, IMAGE_SLOTS, type SlotsOptions } from './slots.ts'
