/** A whole box in one locked file, and back; and how a box forgets. */
export { kindOf } from './inventory.ts'
export { listState, packBox, type Packed } from './pack.ts'
export { type Forgotten, resetFactory, resetSoft } from './reset.ts'
export { type Losses, restoreBox } from './restore.ts'
export { dropUndecided, finishSwap, isDecided } from './swap.ts'
export type { SwapPlaces } from './swap-plan.ts'
export { type Contents, verifyBackup } from './verify.ts'
export { AGE_INTRO } from './age-header.ts'
