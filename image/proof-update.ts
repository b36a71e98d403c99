/**
 * `npm run proof:update -- [--in DIR] [--work DIR]`: the update matrix on the whole image in QEMU. The box
 * runs 0.1.0 and gets, by turns, a version whose daemon does not come up, one whose kernel panics, a forged
 * one, an older one, one with a full boot partition, one cut off while it is written, and a good one. After
 * each it has to run a version that works, within three starts, with its data.
 */
import { createReadStream, existsSync } from 'node:fs'
import { chmod, cp, mkdir, open, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { argv, exit, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { flash } from '../test/support/image.ts'
import { type Machine, machine } from '../test/support/machine.ts'
import type { Cleanup } from '../test/support/temp.ts'
import { FLAVOURS } from './flavours.ts'
import { buildImage } from './image.ts'
import { developmentKeys } from './keys.ts'
import { makeReleaseFolder } from './release-folder.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const START_MS = 420_000
const MAX_STARTS = 3

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    in: { type: 'string', default: join(ROOT, 'image/out/pc') },
    work: { type: 'string', default: '/var/tmp/btlinkd-proof-update' },
    only: { type: 'string' },
  },
})
const work = resolve(values.work)
const first = resolve(values.in)
const since = Date.now()
const say = (line: string) =>
  void stdout.write(`${((Date.now() - since) / 1000).toFixed(0).padStart(5)} s  ${line}\n`)
const undo: (() => void | Promise<void>)[] = []
const cleanup: Cleanup = { after: (fn) => void undo.push(fn) }
const keys = await developmentKeys(join(ROOT, 'image/out/keys'))

/** An image with files put over those of 0.1.0; kept from the last run. */
async function variant(
  version: string,
  files: Record<string, string | Uint8Array>,
): Promise<string> {
  const out = join(work, version)
  if (existsSync(out)) return out
  const overlay = join(work, `overlay-${version}`)
  for (const [path, content] of Object.entries(files)) {
    const file = join(overlay, path)
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, content)
    await chmod(file, 0o755)
  }
  const deb = (await readdir(join(ROOT, 'image/out'))).find((name) => name.endsWith('_amd64.deb'))
  await buildImage({
    facts: FLAVOURS.pc,
    version,
    out,
    overlay,
    package: deb === undefined ? undefined : join(ROOT, 'image/out', deb),
    key: keys.secretKey,
    fresh: false,
    raw: true,
    lock: false,
    say,
  })
  return out
}

/** The same slot under another version, with an initrd that does not unpack: the kernel panics. */
async function brokenKernel(from: string, was: string, version: string): Promise<string> {
  const out = join(work, version)
  if (existsSync(out)) return out
  const half = `${out}.half`
  await mkdir(half, { recursive: true })
  for (const name of await readdir(from)) {
    if (!/\.(root|verity)\..*\.raw$|\.efi$/.test(name)) continue
    const to = join(half, name.replace(was, version))
    await cp(join(from, name), to)
    if (!name.endsWith('.efi')) continue
    const file = await open(to, 'r+')
    const { size } = await file.stat()
    // The initrd is most of it, and comes last but for the kernel.
    for (const part of [0.3, 0.5, 0.7])
      await file.write(randomBytes(65_536), 0, 65_536, Math.floor(size * part))
    await file.close()
  }
  await rename(half, out)
  return out
}

async function release(from: string, name: string, secretKey = keys.secretKey): Promise<void> {
  await makeReleaseFolder({
    from,
    to: join(work, 'site', name),
    earlier: [first].filter((folder) => folder !== from && name !== 'older'),
    secretKey,
    architecture: 'amd64',
    flavour: 'pc',
    isFast: true,
    packsOnly: true,
    say,
  })
}

/** The channel of the releases: what QEMU's user network calls 10.0.2.2 is this machine's loopback. */
async function channel(): Promise<number> {
  const server = createServer((request, response) => {
    const path = join(work, 'site', decodeURIComponent(request.url ?? '/').replaceAll('..', ''))
    void stat(path).then(
      ({ size }) => {
        const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
        const head = from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {}
        response.writeHead(from > 0 ? 206 : 200, { 'content-length': size - from, ...head })
        createReadStream(path, { start: from }).pipe(response)
      },
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  cleanup.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

let failures = 0
function check(what: string, ok: boolean, detail: string): void {
  if (!ok) failures++
  say(`${ok ? 'ok  ' : 'FAIL'} ${what}: ${detail}`)
}

/** Until the box is up and judged: the version that runs. */
async function settledVersion(box: Machine): Promise<string> {
  const until = Date.now() + START_MS * MAX_STARTS
  while (Date.now() < until) {
    if (!box.running) await box.start()
    const { text } = await box
      .shell(
        'systemctl is-active boot-complete.target; . /etc/os-release; echo "v=$IMAGE_VERSION"',
        30_000,
      )
      .catch(() => ({ text: '' }))
    const version = /v=(\S+)/.exec(text)?.[1]
    if (/^active/m.test(text) && version !== undefined) return version
    await sleep(2000)
  }
  throw new Error(`the box does not come up: ${box.console().slice(-2000)}`)
}

try {
  const wants = (name: string) => values.only === undefined || values.only.split(',').includes(name)
  await mkdir(join(work, 'site'), { recursive: true })
  const good = await variant('0.2.0', { 'usr/share/proof/blob': randomBytes(3_000_000) })
  await release(good, 'good')
  if (wants('daemon')) {
    const broken = '#!/bin/sh\necho "broken on purpose" >&2\nexit 1\n'
    await release(await variant('0.3.0', { 'usr/bin/btlinkd': broken }), 'daemon')
  }
  if (wants('kernel')) await release(await brokenKernel(good, '0.2.0', '0.4.0'), 'kernel')
  if (wants('forged')) {
    const stranger = await developmentKeys(join(work, 'stranger'))
    await release(good, 'forged', stranger.secretKey)
  }
  if (wants('older')) await release(await brokenKernel(good, '0.2.0', '0.0.9'), 'older')
  const port = await channel()

  const disk = join(work, 'disk.img')
  const image = (await readdir(first)).find((name) => name.endsWith('.img'))
  if (image === undefined) throw new Error(`${first} has no image`)
  await flash(join(first, image), disk)
  const folder = join(work, 'machine')
  await mkdir(folder, { recursive: true })
  const box = await machine(cleanup, { kind: 'pc', disk, folder, memoryMb: 1024, probe: true })
  await box.start()
  say(`runs ${await settledVersion(box)}`)
  await box.shell('echo acknowledged > /var/lib/btlinkd/proof; sync')

  const update = async (name: string, ...words: string[]) =>
    box.shell(
      `BTLINKD_UPDATE__CHANNEL=http://10.0.2.2:${port}/${name} btlinkd update ${words.join(' ')}`,
      600_000,
    )
  const entries = async () =>
    (await box.shell('ls /efi/EFI/Linux /boot/EFI/Linux 2>/dev/null')).text
      .trim()
      .replaceAll('\n', ' ')
  const intact = async () =>
    (await box.shell('cat /var/lib/btlinkd/proof')).text.trim() === 'acknowledged'
  /** Applies, lets it start anew, and says which version the box ends on after how many starts. */
  const tryVersion = async (name: string, expected: string) => {
    const applied = await update(name, 'apply', '--no-reboot')
    say(applied.text.trim().replaceAll('\n', ' | '))
    check(`${name}: installs`, applied.code === 0, await entries())
    const mark = box.mark()
    await box.shell('systemctl --no-block reboot')
    await sleep(10_000)
    const version = await settledVersion(box)
    // systemd-boot and the kernel's stub say this line once each start.
    const seen =
      box
        .console()
        .slice(mark)
        .split(/EFI stub: Loaded initrd|BdsDxe: starting/).length - 1
    check(
      `${name}: ends on ${expected}`,
      version === expected,
      `runs ${version}, ${await entries()}`,
    )
    check(`${name}: within ${MAX_STARTS} starts`, seen <= MAX_STARTS, `${seen} starts`)
    check(`${name}: data is there`, await intact(), 'acknowledged before, read after')
  }
  const refuses = async (name: string, words: RegExp, ...more: string[]) => {
    const { code, text } = await update(name, 'apply', '--no-reboot', ...more)
    check(`${name}: is refused`, code !== 0 && words.test(text), text.trim().slice(-200))
  }

  if (wants('check')) {
    const { code, text } = await update('good', 'check')
    check(
      'check: says what is there',
      code === 0 && text.includes('0.2.0'),
      text.trim().replaceAll('\n', ' | '),
    )
  }
  if (wants('forged')) await refuses('forged', /not signed by its vendor/)
  if (wants('older')) await refuses('older', /older/)
  if (wants('esp')) {
    await box.shell(
      'd=/efi; [ -d /efi/EFI ] || d=/boot; dd if=/dev/zero of=$d/holiday.jpg bs=1M count=600 2>/dev/null; sync',
    )
    await refuses('good', /boot partition .* free/)
    await box.shell('rm -f /efi/holiday.jpg /boot/holiday.jpg; sync')
  }
  if (wants('daemon')) await tryVersion('daemon', '0.1.0')
  if (wants('kernel')) await tryVersion('kernel', '0.1.0')
  if (wants('cut')) {
    const doing = update('good', 'apply', '--no-reboot').catch(() => undefined)
    await sleep(20_000)
    await box.cut()
    await doing
    await box.start()
    check('cut: runs 0.1.0', (await settledVersion(box)) === '0.1.0', await entries())
    check('cut: data is there', await intact(), 'acknowledged before, read after')
  }
  await tryVersion('good', '0.2.0')
  if (wants('rollback')) {
    const { text } = await box.shell('btlinkd update rollback --no-reboot')
    say(text.trim())
    await box.shell('systemctl --no-block reboot')
    await sleep(10_000)
    const version = await settledVersion(box)
    check('rollback: goes back', version === '0.1.0', `runs ${version}, ${await entries()}`)
  }
  await box.powerOff()
} finally {
  for (const step of undo.toReversed()) await step()
}
say(failures === 0 ? `all of it holds (${basename(first)})` : `${failures} do not hold`)
exit(failures === 0 ? 0 : 1)
