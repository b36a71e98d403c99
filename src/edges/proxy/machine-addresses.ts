/** Addresses of this machine, which no other site can have. */
import { networkInterfaces } from 'node:os'

// Asking the kernel costs a tenth of a small request; addresses come and go with the network.
const FRESH_MS = 1000

export function createMachineAddresses(): () => readonly string[] {
  let known: string[] = []
  let askedAt = Number.NEGATIVE_INFINITY
  return () => {
    const now = performance.now()
    if (now - askedAt > FRESH_MS) {
      askedAt = now
      known = Object.values(networkInterfaces())
        .flatMap((list) => list ?? [])
        .map(({ address }) => address)
    }
    return known
  }
}
