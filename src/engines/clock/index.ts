/** How far the machine's clock can be relied on. */
export { type ClockState, type ClockView, createHouseClock, type HouseClock } from './clock.ts'
