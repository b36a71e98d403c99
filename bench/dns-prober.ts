/**
 * Asks a resolver at a steady pace and tells how long answers took, as a JSON line:
 * `node bench/dns-prober.ts <port> <questions a second> <seconds>`. Lost ones count as long as they
 * were waited for.
 */
import { createSocket } from 'node:dgram'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { queryFor } from '../test/edges/dns/house.ts'
import { percentile } from './runner.ts'

const [port = 0, perSecond = 500, seconds = 5] = process.argv.slice(2).map(Number)
const NAMES = 200
const LATE_MS = 1000

// A client of the house has a processor of its own: waiting for one here is none of the resolver's time.
setPriority(-20)
const socket = createSocket({ type: 'udp4' })
const sentAt = new Map<number, number>()
const took: number[] = []
socket.on('message', (packet) => {
  const id = packet.readUInt16BE(0)
  const at = sentAt.get(id)
  if (at === undefined) return
  sentAt.delete(id)
  took.push(performance.now() - at)
})
await new Promise<void>((done) => {
  socket.connect(port, '127.0.0.1', done)
})

const packets = Array.from({ length: NAMES }, (_, index) =>
  // Every other one is a name of content, the rest come from memory.
  queryFor(
    index % 2 === 0
      ? `${index.toString(16).padStart(40, '0')}-ih.btlink`
      : `h${index}.example.test`,
    1,
  ),
)
const total = perSecond * seconds
const began = performance.now()
for (let sent = 0; sent < total; ) {
  const due = Math.min(total, Math.floor(((performance.now() - began) * perSecond) / 1000))
  for (; sent < due; sent++) {
    const id = sent & 0xffff
    const packet = Buffer.from(packets[sent % NAMES] ?? new Uint8Array(0))
    packet.writeUInt16BE(id, 0)
    sentAt.set(id, performance.now())
    socket.send(packet)
  }
  await sleep(1)
}
for (let waited = 0; sentAt.size > 0 && waited < LATE_MS; waited += 20) await sleep(20)
const lost = sentAt.size
socket.close()
const all = [...took, ...Array.from({ length: lost }, () => LATE_MS)]
console.log(
  JSON.stringify({
    p50: percentile(all, 0.5),
    p99: percentile(all, 0.99),
    max: Math.max(...all),
    lost,
  }),
)
