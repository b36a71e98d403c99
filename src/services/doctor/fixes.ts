/** The table of fixes: each says beforehand what it does, may be repeated, and takes nothing from anybody. */
import type { Fix } from './check.ts'
import { fileFixes } from './fixes-files.ts'
import { serviceFixes } from './fixes-services.ts'

export const fixes: readonly Fix[] = [...fileFixes, ...serviceFixes]
