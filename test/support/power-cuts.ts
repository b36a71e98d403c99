/** Machines whose plug is pulled while they publish; what they had acknowledged is looked for at the next boot. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { noPromises, type Promises, takeIn } from './guest/promises.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { boot, diskFolder, makeDisk } from './uml.ts'
import { APP, GUEST_NODE, mountApp } from './uml-app.ts'

export interface CutOutcome {
  cuts: number
  boots: number
  acks: number
  /** Lines of what was acknowledged and not found. */
  lost: string[]
  /** Records that left the box under a sequence number that was used before for another. */
  reused: string[]
  /** Boots whose file system or daemon did not come up. */
  unbootable: string[]
}

/** As a flashed box mounts its data; unsynced data is kept back for as long as it may be. */
const SCRIPT = (promises: string, round: number): string => `
module ipv6
${mountApp('/dev/ubdb')}
e2fsck -p /dev/ubda >/run/fsck 2>&1 || { code=$?; [ $code -lt 4 ] || { echo FSCK $code; cat /run/fsck; }; }
mount -o noatime,commit=30 /dev/ubda /mnt || echo NO-MOUNT
echo booted
cd /run && ${GUEST_NODE} ${APP}/guest/publisher.js ${promises} ${round}
echo ENDED
`
const READY_MS = 120_000

/** Every (key, seq) has one value for ever (BEP 44: a node keeps the higher seq, and believes it). */
function takeRecords(known: Map<string, string>, lines: readonly string[]): string[] {
  const reused: string[] = []
  for (const line of lines) {
    const [word, key, seq, value = ''] = line.split(' ')
    if (word !== 'put') continue
    const name = `${key} ${seq}`
    const former = known.get(name)
    if (former !== undefined && former !== value) reused.push(`${name}: ${former}, then ${value}`)
    known.set(name, value)
  }
  return reused
}

/**
 * Pulls the plug `cuts` times, and boots once more to look.
 * @param pause the time from the first write to the cut, or none: in the middle of the start
 */
export async function pullPlugs(
  t: Cleanup,
  app: string,
  cuts: number,
  say: (text: string) => void = () => {},
): Promise<CutOutcome> {
  const folder = await diskFolder(t)
  const disk = await makeDisk(join(folder, 'data.img'), 512)
  // The host's /dev is not the guest's.
  const told = join(await tempFolder(t, 'promises'), 'promises.json')
  const promises: Promises = noPromises()
  const records = new Map<string, string>()
  const outcome: CutOutcome = { cuts: 0, boots: 0, acks: 0, lost: [], reused: [], unbootable: [] }
  for (let round = 0; round <= cuts; round++) {
    await writeFile(told, JSON.stringify(promises))
    const startedAt = performance.now()
    const machine = await boot(t, {
      disks: [disk],
      readOnlyDisks: [app],
      script: SCRIPT(told, round),
    })
    outcome.boots++
    const isLast = round === cuts
    // One in five is cut while it starts and mends what the cut before left.
    const early = !isLast && Math.random() < 0.2
    try {
      await machine.line((line) => line === 'booted', READY_MS)
      if (early) await sleep(Math.random() * 4000)
      else {
        await machine.line((line) => /^(?:checked|ENDED)/.test(line), READY_MS)
        if (!isLast) await sleep(200 + Math.random() * 2500)
      }
    } catch (error) {
      outcome.unbootable.push(String(error))
    }
    await machine.cut()
    if (!isLast) outcome.cuts++
    const lines = machine.lines()
    outcome.lost.push(...lines.filter((line) => line.startsWith('LOST')))
    if (lines.some((line) => /^(?:ENDED|FSCK|NO-MOUNT|role-ended)/.test(line))) {
      outcome.unbootable.push(lines.slice(-30).join('\n'))
    }
    outcome.reused.push(...takeRecords(records, lines))
    outcome.acks += takeIn(promises, lines)
    say(
      `cut ${round + 1}/${cuts}${early ? ' (starting)' : ''}: ${outcome.acks} acks, ${outcome.lost.length} lost, ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
    )
  }
  return outcome
}
