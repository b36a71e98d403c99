/** The questions of a house, all of them. */
import type { Scenario } from './scenario.ts'
import { content } from './scenarios-content.ts'
import { household, special } from './scenarios-house.ts'
import { internet } from './scenarios-internet.ts'

export const scenarios: readonly Scenario[] = [...content, ...household, ...special, ...internet]
