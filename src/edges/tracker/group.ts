/** Peers of one swarm that the same askers may see, seeds first: picking seeds or leechers needs no search. */
import type { PeerTable } from './peer-table.ts'

export interface Group {
  slots: number[]
  /** How many of the first are seeds. */
  seeds: number
}

// A grown array has room for 17; most swarms have one peer or two.
const EXACT = 8

function put(table: PeerTable, group: Group, slot: number, place: number): void {
  group.slots[place] = slot
  table.setPlace(slot, place)
}

export function addToGroup(table: PeerTable, group: Group, slot: number, seed: boolean): void {
  const end = group.slots.length
  if (end < EXACT) group.slots = [...group.slots, slot]
  else group.slots.push(slot)
  table.setPlace(slot, end)
  if (!seed) return
  const displaced = group.slots[group.seeds] ?? slot
  put(table, group, displaced, end)
  put(table, group, slot, group.seeds++)
}

export function removeFromGroup(table: PeerTable, group: Group, slot: number): void {
  let hole = table.place(slot)
  if (hole < group.seeds) {
    group.seeds--
    const lastSeed = group.slots[group.seeds] ?? slot
    put(table, group, lastSeed, hole)
    hole = group.seeds
  }
  const last = group.slots.pop() ?? slot
  if (hole < group.slots.length) put(table, group, last, hole)
}
