/** The screen at the box: what somebody sees who connects one, or a serial line. */
export { draw } from './draw.ts'
export { screen, type ScreenFacts } from './screen.ts'
