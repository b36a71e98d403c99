/**
 * `npm run proof:update -- [--in DIR] [--work DIR] [--only CASE,CASE] [--prepare]`: the update matrix on the
 * whole image in QEMU. Each case begins with a box that runs 0.1.0, flashed or that of the case before, and
 * has to end on a version that works, within three starts, with its data. `--prepare` makes the releases,
 * and starts no machine.
 */
import { readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { argv, exit, stderr, stdout } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageOf } from '../src/base/errors.ts'
import type { Cleanup } from '../test/support/temp.ts'
import { developmentKeys } from './keys.ts'
import { MAX_STARTS, openBoxes, type ProofBox, type Settled } from './proof-box.ts'
import {
  channel,
  GOOD,
  makeRelease,
  openWorkshop,
  type ReleaseName,
  RELEASES,
  RUNS,
  type Workshop,
} from './proof-releases.ts'

const OUT = fileURLToPath(new URL('out', import.meta.url))
const WAIT_MS = 900_000

const since = Date.now()
const say = (line: string) =>
  void stdout.write(`${((Date.now() - since) / 1000).toFixed(0).padStart(5)} s  ${line}\n`)
const oneLine = (text: string): string => text.trim().replaceAll('\n', ' | ').slice(-400)

let failures = 0
function check(what: string, ok: boolean, detail: string): void {
  if (!ok) failures++
  say(`${ok ? 'ok  ' : 'FAIL'} ${what}: ${detail}`)
}

/** Waits until the command ends with 0. */
async function until(box: ProofBox, what: string, command: string): Promise<void> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await sleep(2000))
    if ((await box.machine.shell(command)).code === 0) return
  throw new Error(`${what} does not come: ${oneLine(box.machine.console().slice(-2000))}`)
}

/** What has to hold when the box has found its version. */
async function ends(box: ProofBox, what: string, version: string, on: Settled): Promise<void> {
  const facts = `${on.starts} starts, ${on.seconds.toFixed(0)} s, ${on.entries}`
  check(`${what}: runs ${version}`, on.version === version && on.blessed, `${on.version}, ${facts}`)
  check(`${what}: within ${MAX_STARTS} starts`, on.starts <= MAX_STARTS, `${on.starts}`)
  const damage = await box.damage()
  check(`${what}: data is there`, damage === undefined, damage ?? 'all sums are as before')
}

async function startsAnew(box: ProofBox): Promise<Settled> {
  const mark = box.machine.mark()
  await box.machine.shell('systemctl --no-block reboot')
  return box.settled(mark)
}

async function installs(box: ProofBox, name: ReleaseName): Promise<void> {
  const began = Date.now()
  const { code, text } = await box.update(name, 'apply --no-reboot')
  const took = `${((Date.now() - began) / 1000).toFixed(0)} s`
  check(`${name} is installed`, code === 0, `${took}, ${oneLine(text)}, ${await box.entries()}`)
}

async function refuses(box: ProofBox, name: ReleaseName, words: RegExp): Promise<void> {
  const before = await box.entries()
  const { code, text } = await box.update(name, 'apply --no-reboot')
  const holds = code !== 0 && words.test(text) && before === (await box.entries())
  check(`${name} is refused`, holds, oneLine(text))
}

/** A version that is not well is left, and not tried again by itself. */
async function fallsBack(box: ProofBox, name: ReleaseName): Promise<void> {
  await installs(box, name)
  await ends(box, name, RUNS, await startsAnew(box))
  const { text } = await box.machine.shell('btlinkd update status')
  check(`${name}: is known to be bad`, /^\S+\s+bad/m.test(text), oneLine(text))
}

/** The power goes when `moment` is true; after it the box runs what it ran, and takes the same update. */
async function cut(box: ProofBox, what: string, moment: string): Promise<void> {
  const { machine } = box
  const slot = `for p in /sys/class/block/*/partition; do p=\${p%/*}; if grep -q PARTNAME=_empty $p/uevent && [ "$(cat $p/size)" -gt 999999 ]; then echo $p; fi; done`
  await machine.shell(`{ ${slot}; } > /run/slot-b; cat /run/slot-b`)
  await machine.shell(
    `systemd-run --quiet --unit=proof-apply -E BTLINKD_UPDATE__CHANNEL=${box.channel('good')} btlinkd update apply --no-reboot`,
  )
  const isOver = '[ "$(systemctl show -P SubState proof-apply)" != running ]'
  // Moments are shorter than the way there and back.
  const looks = `while ! { ${moment}; } && ! ${isOver}; do sleep 0.1; done`
  await machine.shell(looks, WAIT_MS)
  const { code } = await machine.shell(isOver)
  const seen = await machine.shell(
    'ls -A /var/lib/btlinkd-update /boot/EFI/Linux; cat $(cat /run/slot-b)/stat; journalctl -u proof-apply -o cat --no-pager',
  )
  await machine.cut()
  check(`cut ${what}: was in time`, code !== 0, oneLine(seen.text))
  const mark = machine.mark()
  await machine.start()
  await ends(box, `cut ${what}`, RUNS, await box.settled(mark))
  await installs(box, 'good')
  await ends(box, `after a cut ${what}`, GOOD, await startsAnew(box))
}

interface Minute {
  /** Seconds since 1970, of the whole minute. */
  epoch: number
  /** `17:05`, in the box's time zone. */
  clock: string
}

/** By the box's clock, so many seconds from now. */
async function minuteIn(box: ProofBox, seconds: number): Promise<Minute> {
  const now = Number((await box.machine.shell('date +%s')).text)
  const epoch = Math.floor((now + seconds) / 60) * 60
  const { text } = await box.machine.shell(`date -d @${epoch} +%H:%M`)
  return { epoch, clock: text.trim() }
}

/** Writes the section `update` of the box's configuration. */
async function configure(box: ProofBox, window: string): Promise<void> {
  const file = '/etc/btlinkd/btlinkd.yaml'
  await box.machine.shell(
    `sed -i '/^update:/,$d' ${file}; printf 'update:\\n  channel: %s\\n  window: %s\\n' ${box.channel('good')} ${window} >> ${file}`,
  )
}

/** Asks as the daemon's user; root's part is done when the path unit saw it. */
async function asksUnprivileged(box: ProofBox): Promise<void> {
  const { machine } = box
  const before = await machine.shell('systemctl show -P InvocationID btlinkd-update.service')
  const { code, text } = await machine.shell('runuser -u btlinkd -- btlinkd update apply', WAIT_MS)
  check(
    'the daemon’s user asks',
    code === 0 && text.includes('btlinkd-update.service'),
    oneLine(text),
  )
  await until(
    box,
    'the end of btlinkd-update.service',
    `[ "$(systemctl show -P InvocationID btlinkd-update.service)" != '${before.text.trim()}' ] && systemctl show -P ActiveState btlinkd-update.service | grep -qvx activating`,
  )
  const unit = await machine.shell(
    'systemctl show -P Result btlinkd-update.service; journalctl _SYSTEMD_UNIT=btlinkd-update.service -o cat --no-pager',
  )
  const holds = unit.text.startsWith('success') && unit.text.includes(`installed ${GOOD}`)
  check('root’s unit installs within its sandbox', holds, oneLine(unit.text))
}

/** systemd-logind keeps there, in microseconds, when the machine starts anew. */
async function isScheduled(box: ProofBox, { epoch, clock }: Minute): Promise<void> {
  const { text } = await box.machine.shell('cat /run/systemd/shutdown/scheduled')
  const at = Number(/^USEC=(\d+)$/m.exec(text)?.[1] ?? 0) / 1e6
  const holds = at === epoch && /^MODE=reboot$/m.test(text)
  check(`it is to start anew at ${clock}`, holds, oneLine(text))
}

interface Case {
  about: string
  needs: readonly ReleaseName[]
  /** Its box has to be one on which nothing was ever installed. */
  isFresh?: boolean
  /** Installs nothing. */
  keepsFresh?: boolean
  run: (box: ProofBox) => Promise<void>
}

const CASES: Record<string, Case> = {
  refused: {
    about: 'what is there is said; forged, older, and with a full boot partition it is refused',
    needs: ['good', 'forged', 'older'],
    keepsFresh: true,
    run: async (box) => {
      const { code, text } = await box.update('good', 'check')
      check('check says what is there', code === 0 && text.includes(GOOD), oneLine(text))
      await refuses(box, 'forged', /not signed by its vendor/)
      await refuses(box, 'older', /older/)
      await box.machine.shell('dd if=/dev/zero of=/boot/holiday.jpg bs=1M count=600; sync')
      await refuses(box, 'good', /boot partition .* free/)
      await box.machine.shell('rm /boot/holiday.jpg; sync')
      const damage = await box.damage()
      check('refused: data is there', damage === undefined, damage ?? 'all sums are as before')
    },
  },
  good: {
    about: 'goes in, is blessed, and is left again by hand',
    needs: ['good'],
    run: async (box) => {
      await installs(box, 'good')
      await ends(box, 'good', GOOD, await startsAnew(box))
      const { code, text } = await box.machine.shell('btlinkd update rollback --no-reboot')
      check('rollback is taken', code === 0, oneLine(text))
      await ends(box, 'rollback', RUNS, await startsAnew(box))
    },
  },
  daemon: {
    about: 'a version whose daemon does not come up',
    needs: ['daemon'],
    // It is 0.2.0 under its own name, which the next case must not find there.
    isFresh: true,
    run: async (box) => fallsBack(box, 'daemon'),
  },
  kernel: {
    about: 'a version whose kernel panics',
    needs: ['kernel'],
    run: async (box) => fallsBack(box, 'kernel'),
  },
  stuck: {
    about: 'a version whose initrd does not find its root',
    needs: ['stuck'],
    run: async (box) => fallsBack(box, 'stuck'),
  },
  'cut-unpack': {
    about: 'the power goes while the files are made from packs',
    needs: ['good'],
    isFresh: true,
    run: async (box) =>
      cut(
        box,
        'while unpacking',
        "find /var/lib/btlinkd-update -name '*.root.*.part' -size +50M | grep -q .",
      ),
  },
  'cut-slot': {
    about: 'the power goes while the slot is written',
    needs: ['good'],
    isFresh: true,
    // stat: the seventh number is sectors written (Documentation/block/stat).
    run: async (box) =>
      cut(
        box,
        'while writing the slot',
        'set -- $(cat $(cat /run/slot-b)/stat); [ "$7" -gt 100000 ]',
      ),
  },
  'cut-kernel': {
    about: 'the power goes while the kernel is written to the boot partition',
    needs: ['good'],
    isFresh: true,
    run: async (box) =>
      cut(box, 'while writing the kernel', "ls -A /boot/EFI/Linux | grep -q '^\\.#'"),
  },
  night: {
    about: 'asked for by the daemon’s user, installed by root’s unit, started anew by night',
    needs: ['good'],
    isFresh: true,
    run: async (box) => {
      const { machine } = box
      const late = await minuteIn(box, 3 * 3600)
      const end = await minuteIn(box, 4 * 3600)
      await configure(box, `${late.clock}-${end.clock}`)
      const now = await machine.shell('runuser -u btlinkd -- btlinkd update apply --now')
      check('the daemon’s user says no more than that', now.code === 2, oneLine(now.text))
      await asksUnprivileged(box)
      await isScheduled(box, late)
      await machine.shell('shutdown -c')
      const soon = await minuteIn(box, 150)
      await configure(box, `${soon.clock}-${end.clock}`)
      const mark = machine.mark()
      await asksUnprivileged(box)
      await isScheduled(box, soon)
      const settled = await box.settled(mark)
      await ends(box, 'by night', GOOD, settled)
      const { text } = await machine.shell('echo $(($(date +%s) - $(cut -d. -f1 /proc/uptime)))')
      const seconds = Number(text) - soon.epoch
      check('it started by itself when the night began', seconds >= 0, `${seconds} s after`)
    },
  },
  timer: {
    about: 'nobody asks: the timer looks, fetches, installs and starts anew within the night',
    needs: ['good'],
    isFresh: true,
    run: async (box) => {
      const { machine } = box
      await configure(box, '00:00-00:00')
      // Up to ten minutes of chance are left out, and the clock is put just before its time.
      const folder = '/run/systemd/system/btlinkd-update.timer.d'
      await machine.shell(
        `mkdir -p ${folder}; printf '[Timer]\\nRandomizedDelaySec=0\\n' > ${folder}/proof.conf; systemctl daemon-reload`,
      )
      const mark = machine.mark()
      const set = await machine.shell(
        'date -s "$(date -d "+1 hour" +%Y-%m-%dT%H:04:30)"; systemctl list-timers --no-pager btlinkd-update.timer',
      )
      say(oneLine(set.text))
      await ends(box, 'timer', GOOD, await box.settled(mark))
    },
  },
}

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    in: { type: 'string', default: join(OUT, 'pc') },
    package: { type: 'string' },
    work: { type: 'string', default: '/var/tmp/btlinkd-proof-update' },
    only: { type: 'string' },
    prepare: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const names = values.only === undefined ? Object.keys(CASES) : values.only.split(',')
const unknown = names.find((name) => !Object.hasOwn(CASES, name))
if (values.help || unknown !== undefined) {
  const list = Object.entries(CASES).map(([name, { about }]) => `  ${name.padEnd(12)}${about}\n`)
  const usage = `usage: npm run proof:update -- [--in DIR] [--package DEB] [--work DIR] [--only CASE,…] [--prepare]\n${list.join('')}`
  ;(values.help ? stdout : stderr).write(usage)
  exit(values.help ? 0 : 2)
}

const deb = readdirSync(OUT).find((name) => /^btlinkd_.*_amd64\.deb$/.test(name))
const shop: Workshop = {
  work: resolve(values.work),
  first: resolve(values.in),
  package: values.package ?? join(OUT, deb ?? 'btlinkd.deb'),
  keys: await developmentKeys(join(OUT, 'keys')),
  say,
}
const undo: (() => void | Promise<void>)[] = []
const cleanup: Cleanup = { after: (fn) => void undo.push(fn) }
try {
  await openWorkshop(shop)
  const wanted = new Set(names.flatMap((name) => CASES[name]?.needs ?? []))
  for (const name of RELEASES) if (wanted.has(name)) await makeRelease(shop, name)
  const port = await channel(cleanup, join(shop.work, 'site'))
  const boxes = openBoxes(cleanup, shop, port)
  for (const name of values.prepare ? [] : names) {
    const { about, isFresh, keepsFresh, run } = CASES[name] ?? {}
    if (!run) continue
    say(`== ${name}: ${about}`)
    const before = failures
    try {
      await run(await boxes.get({ isFresh: isFresh ?? false, keepsFresh: keepsFresh ?? false }))
    } catch (error) {
      check(`${name}: runs to its end`, false, messageOf(error))
    }
    // What goes on with a box begins with one that is well, on the first version.
    if (failures > before || isFresh === true) await boxes.drop()
  }
} finally {
  for (const step of undo.toReversed()) await step()
}
say(failures === 0 ? `all of it holds (${basename(shop.first)})` : `${failures} do not hold`)
exit(failures === 0 ? 0 : 1)
