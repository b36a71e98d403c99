import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { supervisorLimits } from '../../src/app/roles/supervisor.ts'
import { missing, run } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const ANALYZE = '/usr/bin/systemd-analyze'
const FOLDER = join(ROOT, 'systemd')

/** R05: 10 is a service without any limit, and 1.6 what one that speaks with strangers may have. */
const MOST_EXPOSED = 1.6

/** What docs/systemd.md says is open, and nothing else is: R26. */
const DECLARED: Record<string, { name: string; service: string; listens: string[] }> = {
  'btlinkd-dns.socket': {
    name: 'dns-udp',
    service: 'btlinkd-dns.service',
    listens: ['ListenDatagram=53'],
  },
  'btlinkd-dns-tcp.socket': {
    name: 'dns-tcp',
    service: 'btlinkd-dns.service',
    listens: ['ListenStream=53'],
  },
  'btlinkd-http.socket': {
    name: 'http',
    service: 'btlinkd-web.service',
    listens: ['ListenStream=80', 'ListenStream=42080'],
  },
  'btlinkd-https.socket': {
    name: 'https',
    service: 'btlinkd-web.service',
    listens: ['ListenStream=443', 'ListenStream=44369'],
  },
}

/** Debian 12 has 252, which says so and goes on without them. */
const LATER_THAN_252 =
  /Unknown key(?: name)? '(?:OpenFile|PollLimit\w+|RestartSteps|RestartMaxDelaySec|ImportCredential)'/

const units = readdirSync(FOLDER).filter((name) =>
  /^btlinkd.*\.(service|socket|target|slice)$/.test(name),
)
const linesOf = (unit: string): string[] => readFileSync(join(FOLDER, unit), 'utf8').split('\n')
const valuesOf = (unit: string, key: string): string[] =>
  linesOf(unit).flatMap((line) => (line.startsWith(`${key}=`) ? line.slice(key.length + 1) : []))

/** Those that listen. */
const roles = ['dns', 'swarm', 'web']
const services = roles.map((role) => `btlinkd-${role}.service`)

/** A root with nothing but our units, those of systemd, and programs for ExecStart= to name. */
async function rootOfUnits(t: Cleanup): Promise<string> {
  const root = await tempFolder(t, 'btl-units')
  const place = join(root, 'usr/lib/systemd/system')
  await mkdir(place, { recursive: true })
  const system = ['/usr/lib/systemd/system', '/lib/systemd/system'].find((one) => existsSync(one))
  if (system !== undefined) await cp(system, place, { recursive: true, verbatimSymlinks: true })
  await cp(FOLDER, place, { recursive: true })
  for (const program of ['usr/bin/btlinkd', 'usr/bin/chrt']) {
    await mkdir(join(root, program, '..'), { recursive: true })
    await writeFile(join(root, program), '#!/bin/sh\n', { mode: 0o755 })
  }
  return root
}

describe('the units of systemd (R05, R17)', { skip: missing(ANALYZE) }, () => {
  for (const unit of services) {
    it(`${unit} is exposed by ${MOST_EXPOSED} at most`, async (t) => {
      const { stdout, stderr } = await run(ANALYZE, [
        'security',
        '--offline=true',
        '--no-pager',
        join(FOLDER, unit),
      ])
      const exposure = /exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]
      t.diagnostic(`exposure ${exposure}`)
      assert.ok(Number(exposure) <= MOST_EXPOSED, stdout + stderr)
    })
  }

  it('wait no longer before they start a role again than its supervisor elsewhere', () => {
    const roles = services.filter((unit) => valuesOf(unit, 'Restart').includes('on-failure'))
    assert.equal(roles.length, 3)
    for (const unit of roles) {
      const [longest] = valuesOf(unit, 'RestartMaxDelaySec')
      assert.equal(longest, `${supervisorLimits.maxDelayMs / 1000}s`, unit)
    }
  })

  it('have nothing that systemd does not understand', async (t) => {
    const root = await rootOfUnits(t)
    const { stdout, stderr } = await run(ANALYZE, [
      'verify',
      `--root=${root}`,
      '--man=no',
      '--recursive-errors=no',
      ...units,
    ])
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('btlinkd'))
    assert.deepEqual(
      said.filter((line) => !LATER_THAN_252.test(line)),
      [],
    )
  })

  it('listen to the declared sockets and no others, each with a name that its role knows', () => {
    const found = Object.fromEntries(
      units
        .filter((unit) => unit.endsWith('.socket'))
        .map((unit) => [
          unit,
          {
            name: valuesOf(unit, 'FileDescriptorName').join(),
            service: valuesOf(unit, 'Service').join(),
            listens: linesOf(unit).filter((line) => line.startsWith('Listen')),
          },
        ]),
    )
    assert.deepEqual(found, DECLARED)
  })

  it('give no role a right of the kernel, and restart each but for a mistake in its configuration', () => {
    for (const [index, unit] of services.entries()) {
      const role = roles[index]
      assert.deepEqual(valuesOf(unit, 'ExecStart'), [`/usr/bin/btlinkd serve --role ${role}`])
      assert.deepEqual(valuesOf(unit, 'CapabilityBoundingSet'), [''], unit)
      assert.deepEqual(valuesOf(unit, 'AmbientCapabilities'), [''], unit)
      assert.deepEqual(valuesOf(unit, 'User'), ['btlinkd'], unit)
      assert.deepEqual(valuesOf(unit, 'RestartPreventExitStatus'), ['78'], unit)
      assert.deepEqual(valuesOf(unit, 'LimitCORE'), ['0'], unit)
      assert.deepEqual(valuesOf(unit, 'Type'), ['notify'], unit)
      // Every one ends in the same way: one list of limits for all.
      assert.ok(linesOf(unit).includes('SystemCallErrorNumber=EPERM'), unit)
      assert.ok(Number(valuesOf(unit, 'WatchdogSec')[0]) > 0, unit)
      assert.ok(Number(valuesOf(unit, 'TasksMax')[0]) > 0, unit)
    }
  })

  it('of the roles are all pulled in by the target, a socket or another unit, and have a preset', () => {
    const preset = readFileSync(join(FOLDER, 'system-preset/50-btlinkd.preset'), 'utf8')
    const own = ['btlinkd.target', 'btlinkd.slice', ...services, ...Object.keys(DECLARED)]
    for (const unit of own) {
      const isInstalled = valuesOf(unit, 'WantedBy').length > 0
      assert.equal(preset.includes(`enable ${unit}\n`), isInstalled, unit)
      const isNamed = units.some((other) =>
        [...valuesOf(other, 'Wants'), ...valuesOf(other, 'Slice')]
          .join(' ')
          .split(' ')
          .includes(unit),
      )
      assert.ok(isInstalled || isNamed, unit)
    }
  })

  it('can all be enabled', { skip: missing('/usr/bin/systemctl') }, async (t) => {
    const root = await rootOfUnits(t)
    const enabled = units.filter((unit) => valuesOf(unit, 'WantedBy').length > 0)
    const { code, stderr } = await run('/usr/bin/systemctl', [
      `--root=${root}`,
      'enable',
      ...enabled,
    ])
    assert.equal(code, 0, stderr)
    for (const unit of enabled) {
      assert.ok(
        readdirSync(join(root, 'etc/systemd/system'), { recursive: true }).some(
          (path) => basename(String(path)) === unit,
        ),
        unit,
      )
    }
  })
})
