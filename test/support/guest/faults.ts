/**
 * Faults that only a machine of one's own can have, one after the other on a daemon that runs: a disk
 * whose writes fail (dm-flakey), one with bad blocks (dm-dust), a slow one (dm-delay), a clock that
 * jumps. Prints `passed WHAT` or
 * `FAILED WHAT why`. argv[2]: the device below /dev/mapper's `data`, with its length in sectors.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createBox, type PublishedPage, publishPage, tell } from './box.ts'
import { lostOf, noPromises, pageFile, type TrustView } from './promises.ts'
import { startWitness } from './witness.ts'

const [, , device = '', sectors = ''] = process.argv
const promises = noPromises()
const sh = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Puts another table under the mounted file system. */
function disk(target: string, ...rest: (string | number)[]): void {
  const table = `0 ${sectors} ${target} ${device} 0 ${rest.join(' ')}`
  sh('/usr/sbin/dmsetup', 'suspend', '--nolockfs', 'data')
  sh('/usr/sbin/dmsetup', 'reload', 'data', '--table', table)
  sh('/usr/sbin/dmsetup', 'resume', 'data')
}

function keep(page: PublishedPage, n: number): void {
  promises.pages.push([page.key, n, page.seq, page.infoHash, page.publicKey])
}

async function part(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
    tell('passed', what)
  } catch (error) {
    tell('FAILED', what, String(error).replaceAll('\n', ' '))
  }
}

function assertNone(lost: readonly string[]): void {
  if (lost.length > 0) throw new Error(`lost: ${lost.join('; ')}`)
}

startWitness(7001)
const box = createBox()
await box.start()
keep(await publishPage(box, 'site0', 1), 1)
const { json: trust } = await box.ask<TrustView>('GET', '/api/trust')
promises.root = trust.names.sha256

await part('clock', async () => {
  const now = Math.floor(Date.now() / 1000)
  const year = 365 * 86_400
  for (const [n, at] of [now + 5 * year, now - 5 * year, 86_400, 1_924_992_000, now].entries()) {
    sh('/usr/bin/date', '-s', `@${at}`)
    assertNone(await lostOf(box, promises))
    keep(await publishPage(box, 'site1', n), n)
    const { status } = await box.ask<unknown>('POST', '/api/trust/leaf', {
      hosts: [`${'0'.repeat(39)}${n}-ih.btlink`],
    })
    if (status !== 201) throw new Error(`no leaf at ${at}: ${status}`)
  }
  // A timer that was meant for years ago must not fire for each of them.
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const used = process.cpuUsage(before)
  const ms = (used.user + used.system) / 1000
  if (ms > 1500) throw new Error(`${ms} ms of 3000 after the jumps`)
})

await part('slow-disk', async () => {
  disk('delay', 100)
  keep(await publishPage(box, 'site0', 2), 2)
  disk('linear')
  assertNone(await lostOf(box, promises))
})

await part('bad-block', async () => {
  const page = await publishPage(box, 'site1', 25)
  keep(page, 25)
  sh('/usr/bin/sync')
  const found = sh('/usr/sbin/filefrag', '-v', '-b4096', pageFile(box.state, page.infoHash))
  const extents = [...found.matchAll(/:\s+(\d+)\.\.\s+(\d+):\s+\d+:/g)]
  const blocks = extents.flatMap(([, first, last]) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i),
  )
  disk('dust', 4096)
  for (const block of blocks) {
    sh('/usr/sbin/dmsetup', 'message', 'data', '0', 'addbadblock', String(block))
  }
  sh('/usr/sbin/dmsetup', 'message', 'data', '0', 'enable')
  writeFileSync('/proc/sys/vm/drop_caches', '3')
  const host = `${page.infoHash}-ih.btlink`
  const answer = await box.get(host, '/index.html').catch(() => undefined)
  tell('bad-block', blocks.length, answer?.status ?? 'cut off')
  if (answer?.status === 200 && answer.body.toString() === page.text) {
    throw new Error(`it was read all the same: ${found.replaceAll('\n', ' ')}`)
  }
  if ((await box.get('setup.btlink', '/')).status !== 200) throw new Error('no set-up page')
  disk('linear')
  assertNone(await lostOf(box, promises))
})

await part('memory', async () => {
  for (let n = 30; n < 40; n++) keep(await publishPage(box, 'site0', n), n)
  assertNone(await lostOf(box, promises))
  const events = readFileSync('/sys/fs/cgroup/btlinkd/memory.events', 'utf8')
  const peak = Number(readFileSync('/sys/fs/cgroup/btlinkd/memory.current', 'utf8'))
  tell('memory', Math.round(peak / 1_048_576), events.replaceAll('\n', ' '))
  if (!events.includes('oom_kill 0')) throw new Error(events)
})
await part('failing-disk', async () => {
  // Reads go well, every write fails (dm-flakey: error_writes).
  disk('flakey', 0, 3600, 1, 'error_writes')
  let acknowledged: string | undefined
  for (let n = 10; n < 14; n++) {
    const what = await publishPage(box, 'site2', n).then(
      (page) => `seq ${page.seq}`,
      () => undefined,
    )
    acknowledged ??= what
  }
  if (acknowledged !== undefined)
    throw new Error(`acknowledged on a disk that failed: ${acknowledged}`)
  const { status } = await box.ask<unknown>('POST', '/api/trust/link-domains', {
    domains: ['failing.example.org'],
  })
  if (status < 400) throw new Error(`a link domain was acknowledged: ${status}`)
  tell('while-failing', (await box.get('setup.btlink', '/')).status)
})

// For the daemon that comes after this one, on the disk when it is well again.
writeFileSync('/run/promises.json', JSON.stringify(promises))
tell('faults-over')
process.exit(0)
