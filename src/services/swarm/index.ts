/** The door of the swarm service. */
export { createHoldings, type Holdings } from './holdings.ts'
