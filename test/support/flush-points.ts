/** One run of a publisher, recorded write by write, and every disk that a power cut could have left of it. */
import { cp, writeFile } from 'node:fs/promises'
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { noPromises } from './guest/promises.ts'
import { entriesOf, isPoint } from './log-writes.ts'
import { output } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { boot, diskFolder, makeDisk } from './uml.ts'
import { APP, GUEST_NODE, mountApp } from './uml-app.ts'

const DISK_MB = 64
const LOG_MB = 1024
const RECORD_MS = 300_000
const STATE_MS = 20_000

export interface FlushOutcome {
  entries: number
  /** Flushes, FUA writes and acknowledgements in the log. */
  points: number
  marks: number
  /** Points that were looked at. */
  states: number
  /** A line for each that was bad. */
  bad: string[]
}

/** @param publications how often the household writes @param most how many points are looked at, evenly spread */
export async function flushPoints(
  t: Cleanup,
  app: string,
  { publications, most }: { publications: number; most: number },
): Promise<FlushOutcome> {
  const folder = await diskFolder(t)
  const shared = await tempFolder(t, 'flush')
  const before = await makeDisk(join(folder, 'before.img'), DISK_MB)
  const disk = join(folder, 'data.img')
  await cp(before, disk)
  const log = join(folder, 'log.img')
  await output('/usr/bin/truncate', ['-s', `${LOG_MB}M`, log])
  const told = join(shared, 'promises.json')
  await writeFile(told, JSON.stringify(noPromises()))

  const recorder = await boot(t, {
    disks: [disk, log],
    readOnlyDisks: [app],
    script: `
module ipv6
module dm-log-writes
${mountApp('/dev/ubdc')}
dmsetup create log --table "0 $(blockdev --getsz /dev/ubda) log-writes /dev/ubda /dev/ubdb"
mount -o noatime,commit=30 /dev/dm-0 /mnt
cd /run && ${GUEST_NODE} ${APP}/guest/publisher.js ${told} 1 ${publications} log
umount /mnt
dmsetup remove log
`,
  })
  const said = await recorder.over(RECORD_MS)
  if (!said.includes('published'))
    throw new Error(
      `no recording:\n${said.join('\n').slice(0, 3000)}\n${said.slice(-3).join('\n')}`,
    )

  const fd = openSync(log, 'r')
  const read = (at: number, length: number): Uint8Array => {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, readSync(fd, bytes, 0, length, at))
  }
  const points: number[] = []
  const marks: number[] = []
  let entries = 0
  for (const entry of entriesOf(read, DISK_MB * 1024 * 1024)) {
    if (isPoint(entry)) points.push(entries)
    if (entry.mark !== undefined) marks.push(entries)
    entries++
  }
  closeSync(fd)
  // Right behind an acknowledgement is where most can be lost; the others are spread evenly.
  const left = Math.max(0, Math.min(points.length, most) - marks.length)
  const spread = Array.from(
    { length: left },
    (_, index) => points[Math.floor((index * points.length) / left)] ?? 0,
  )
  const chosen = most >= points.length ? points : [...new Set([...marks, ...spread])]
  const places = join(shared, 'places.json')
  await writeFile(places, JSON.stringify(chosen))
  const checker = await boot(t, {
    disks: [before, log],
    readOnlyDisks: [app],
    memoryMb: 1024,
    script: `
module loop
${mountApp('/dev/ubdc')}
cd /run && ${GUEST_NODE} ${APP}/guest/states.js /dev/ubda /dev/ubdb ${places} ${DISK_MB * 1024 * 1024}
`,
  })
  const looked = await checker.over(60_000 + chosen.length * STATE_MS)
  const states = Number(looked.find((line) => line.startsWith('states '))?.slice(7) ?? 0)
  if (states !== chosen.length) throw new Error(`no end:\n${looked.slice(-30).join('\n')}`)
  return {
    entries,
    points: points.length,
    marks: marks.length,
    states,
    bad: looked.filter((l) => l.startsWith('BAD')),
  }
}
