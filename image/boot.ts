/**
 * `npm run image:boot -- pc|arm64|rpi`: starts the built image in QEMU and holds it to what docs/image.md
 * says. No KVM is used, so its seconds are many times those of a board; ratios hold.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, exit, stderr, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { putOnCard } from '../test/support/image.ts'
import { type Machine, machine, type MachineOptions } from '../test/support/machine.ts'
import type { Cleanup } from '../test/support/temp.ts'
import {
  BARS,
  DECLARED_SOCKETS,
  idleWrites,
  memoryKiB,
  orderingCycles,
  secondsToDns,
  secrets,
  settled,
  sharedSecrets,
  sockets,
  startedAnew,
} from './checks.ts'
import { flavourNamed } from './flavours.ts'
import { piProblems, piStages } from './pi-card.ts'
import { readVersion } from './tree.ts'

const run = promisify(execFile)
const OUT = fileURLToPath(new URL('out', import.meta.url))
// What the console of a Pi says, in this order.
const PI_STEPS: [string, RegExp][] = [
  // Its first lines go to the other port, which nothing reads.
  ['U-Boot', /Booting: mmc 0/],
  ['kernel of the image', /Machine model: Raspberry Pi 3[^\r\n]*|Welcome to [^\r\n]*/],
  ['attempt counted', /btlinkd_\S+\+3\.efi is now \S+\+2-1\.efi/],
  ['version called good', /btlinkd_\S+\+2-1\.efi is now \S+\.efi/],
]
const OURS = ['btlinkd.target', 'btlinkd-web.service', 'btlinkd-swarm.service']

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  // As long as the longest of our own periods below an hour: one write in two minutes is no measure of a day.
  options: { image: { type: 'string' }, idle: { type: 'string', default: '600' } },
})
const facts = flavourNamed(positionals[0])
if (!facts) {
  stderr.write('usage: npm run image:boot -- pc|arm64|rpi [--image FILE] [--idle SECONDS]\n')
  exit(2)
}
const { flavour } = facts
const version = await readVersion()
const image = values.image ?? join(OUT, flavour, `btlinkd-${flavour}_${version}.img`)
if (!existsSync(image)) {
  stderr.write(`there is no ${image}: npm run image -- ${flavour}\n`)
  exit(1)
}

const since = Date.now()
let failures = 0
function check(what: string, ok: boolean, detail: string): void {
  if (!ok) failures++
  const seconds = ((Date.now() - since) / 1000).toFixed(0).padStart(5)
  stdout.write(`${seconds} s  ${ok ? 'ok  ' : 'FAIL'} ${what}: ${detail}\n`)
}

const undo: (() => void | Promise<void>)[] = []
const cleanup: Cleanup = { after: (fn) => void undo.push(fn) }
const folder = await mkdtemp(join(tmpdir(), 'btl-boot-'))

/** A machine from a copy of the image, on a disk as a card would be. */
async function fresh(name: string, more: Partial<MachineOptions> = {}) {
  const disk = join(folder, `${name}.img`)
  await run('cp', ['--sparse=always', image, disk])
  await run('truncate', ['-s', '4G', disk])
  const own = join(folder, name)
  return machine(cleanup, { kind: flavour, disk, folder: own, probe: true, ...more })
}

async function bootOfPi(): Promise<void> {
  // QEMU has no firmware of a Pi: the card is judged by what that reads, and the card's own U-Boot is started
  // in its place. The board has no network that works; what is held to is that U-Boot, boot loader, kernel,
  // slots, counted attempts and health come together.
  const problems = await piProblems(image)
  check('the card has what each board reads', problems.length === 0, problems.join('; ') || 'all')
  const pi = await fresh('pi', { extra: await piStages(image, folder) })
  await pi.start()
  for (const [what, sign] of PI_STEPS) {
    const [line] = await pi.waitFor(sign, 1_200_000)
    check(what, true, line)
  }
  const failed = /(Failed to start|\[FAILED\]) .*/.exec(pi.console())?.[0]
  check('no unit fails', failed === undefined, failed ?? 'none')
  await pi.cut()
}

async function bootOfOthers(): Promise<void> {
  const first = await fresh('first', { watchdog: flavour === 'pc' })
  await first.start()
  const failed = await settled(first)
  check('no unit fails', failed === '', failed || 'none')
  const cycles = await orderingCycles(first)
  check('no ordering cycle', cycles === '', cycles || 'none')
  const listening = await sockets(first)
  const same = listening.join() === DECLARED_SOCKETS.join()
  check('sockets are those declared', same, listening.join(', '))
  const dns = await first.shell('btlinkd dns query btlink A')
  check('DNS answers', dns.code === 0 && /\sA\s/.test(dns.text), dns.text.split('\n')[0] ?? '')
  const mine = await secrets(first)
  const memory = await memoryKiB(first)
  check('memory', memory <= BARS.memoryKiB, `${(memory / 1024).toFixed(0)} MiB of 1024 in use`)
  const { bytesPerDay, by } = await idleWrites(first, Number(values.idle))
  const perDay = `${(bytesPerDay / 1e6).toFixed(1)} MB a day: ${by}`
  check('writes of an idle box', bytesPerDay <= BARS.idleWritesPerDayBytes, perDay)
  await first.powerOff()
  await first.start()
  const failedAgain = await settled(first)
  check('no unit fails at the next start', failedAgain === '', failedAgain || 'none')
  const again = await secrets(first)
  const kept = Object.entries(mine).every(([name, value]) => again[name] === value)
  check('keys and names are kept over a restart', kept, `${Object.keys(mine).length} of them`)
  const ours = await secondsToDns(first)
  await first.cut()
  const masked = OURS.map((unit) => `systemd.mask=${unit}`).join(' ')
  const bare = await machine(cleanup, {
    kind: flavour,
    disk: join(folder, 'first.img'),
    folder: join(folder, 'bare'),
    probe: true,
    commandLine: `${masked} systemd.mask=btlinkd-dns.service`,
  })
  await bare.start()
  const without = await secondsToDns(bare)
  await bare.cut()
  const ratio = ours / without
  const seconds = `${ours.toFixed(1)} s, ${without.toFixed(1)} s without our roles: ${ratio.toFixed(2)}`
  check('start to DNS', ratio <= BARS.bootRatio, seconds)
  await resetTwice(first, mine)
  const second = await fresh('second')
  await second.start()
  await settled(second)
  const others = await secrets(second)
  const shared = sharedSecrets(mine, others)
  check('two machines share no secret', shared.length === 0, shared.join(', ') || 'none')
  await second.cut()
}

/** Both ways to a factory reset, docs/image.md: a file on the card, and the verb on the running box. */
async function resetTwice(box: Machine, before: Record<string, string>): Promise<void> {
  const runs = async () => (await box.shell('. /etc/os-release; echo $IMAGE_VERSION')).text.trim()
  let former = before
  const isAsNew = async (how: string, failed: string) => {
    check(`no unit fails after a reset by ${how}`, failed === '', failed || 'none')
    const now = await secrets(box)
    const kept = sharedSecrets(former, now)
    check(`a reset by ${how} keeps no secret`, kept.length === 0, kept.join(', ') || 'none')
    const stays = await runs()
    check('the version stays', stays === version, stays)
    const left = await box.shell('ls /boot/btlinkd-factory-reset')
    check('it is done once', left.code !== 0, left.text.trim())
    const dns = await box.shell('btlinkd dns query btlink A')
    check(
      'it answers again',
      dns.code === 0 && /\sA\s/.test(dns.text),
      dns.text.split('\n')[0] ?? '',
    )
    former = now
  }
  const marker = join(folder, 'btlinkd-factory-reset')
  await writeFile(marker, '')
  await putOnCard(join(folder, 'first.img'), [marker])
  await box.start()
  await isAsNew('a file on the card', await settled(box))
  const reset = () => box.shell('btlinkd reset --factory --stop --yes').catch(() => undefined)
  await isAsNew('btlinkd reset --factory', await startedAnew(box, reset))
  await box.cut()
}

try {
  const { size } = await stat(image)
  check('size as written', size <= BARS.writtenBytes, `${(size / 1e6).toFixed(0)} MB`)
  if (existsSync(`${image}.xz`)) {
    const compressed = (await stat(`${image}.xz`)).size
    const text = `${(compressed / 1e6).toFixed(0)} MB`
    check('size as downloaded', compressed <= BARS.compressedBytes, text)
  }
  await (flavour === 'rpi' ? bootOfPi() : bootOfOthers())
} finally {
  for (const fn of undo) await fn()
  await rm(folder, { recursive: true, force: true })
}
stdout.write(`${failures} failed, ${((Date.now() - since) / 1000).toFixed(0)} s\n`)
exit(failures === 0 ? 0 : 1)
