import assert from 'node:assert/strict'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { builtPackage } from '../support/debian-package.ts'
import {
  type BootedRoot,
  bootRoot,
  cloneRoot,
  runIn,
  withoutDebianRoot,
} from '../support/debian-root.ts'
import { until } from '../support/until.ts'

const ROLES = ['dns', 'swarm', 'web'] as const
const USER = 642

/** Everything that is open on a box as it comes: docs/systemd.md has the same list. */
const OPEN = [
  'tcp 42080',
  'tcp 443',
  'tcp 44369',
  'tcp 53',
  'tcp 6881',
  'tcp 80',
  'tcp 9877',
  'udp 53',
  'udp 6771',
  'udp 6883',
  'udp 6969',
]

/** A watchdog that a test can wait for. */
const WATCHDOG_SECONDS = 5

const show = async (box: BootedRoot, role: string, key: string): Promise<string> =>
  (await box.sh(`systemctl show -p ${key} --value btlinkd-${role}.service`)).trim()

const inDevice = (command: string): string => `ip netns exec device ${command}`

/** The box at 192.168.77.1, and a device of the house at .9. */
async function plugIn(box: BootedRoot): Promise<void> {
  await box.sh(`
    ip netns add device
    ip link add eth0 type veth peer name eth1 netns device
    ip addr add 192.168.77.1/24 dev eth0
    # A second address, as a new one while the old one is still in use.
    ip addr add 192.168.77.2/24 dev eth0
    ip addr add fd77::1/64 dev eth0 nodad
    ip link set eth0 up
    ip -n device link set lo up
    ip -n device addr add 192.168.77.9/24 dev eth1
    ip -n device addr add fd77::9/64 dev eth1 nodad
    ip -n device link set eth1 up`)
  // The kernel takes up to a second for it, and addresses of other links are nobody's.
  await until('a running link', async () =>
    (await box.sh('ip link show eth0')).includes('state UP'),
  )
}

async function settled(box: BootedRoot): Promise<void> {
  await until(
    'all roles',
    async () => {
      const states = await box.run('/usr/bin/systemctl', [
        'is-active',
        ...ROLES.map((role) => `btlinkd-${role}.service`),
      ])
      return states.stdout === 'active\n'.repeat(ROLES.length)
    },
    { timeoutMs: 60_000, everyMs: 200 },
  )
}

describe('the units in a booted Debian', { skip: withoutDebianRoot() }, () => {
  it('run the house, each in its own sandbox, and come back (R05, R16, R17)', async (t) => {
    const root = await cloneRoot(t, 'btl-units')
    await cp(await builtPackage(), join(root, 'root/btlinkd.deb'))
    const installed = await runIn(root, '/usr/bin/dpkg', ['-i', '/root/btlinkd.deb'])
    assert.equal(installed.code, 0, installed.stderr)
    const dropIn = join(root, 'etc/systemd/system/btlinkd-dns.service.d')
    await mkdir(dropIn, { recursive: true })
    await writeFile(join(dropIn, 'test.conf'), `[Service]\nWatchdogSec=${WATCHDOG_SECONDS}\n`)
    await mkdir(join(root, 'etc/credstore'), { recursive: true })
    await writeFile(join(root, 'etc/credstore/btlinkd.acme.eab_hmac_key'), 'c2VjcmV0LWtleQ\n')
    const box = await bootRoot(t, root)
    await plugIn(box)
    await settled(box)
    const pidOf = async (role: string): Promise<number> => Number(await show(box, role, 'MainPID'))

    await t.test('boot without a failed unit, a cycle or an unknown word', async () => {
      assert.equal(await box.sh('systemctl --failed --no-legend'), '')
      const journal = (await box.sh('journalctl -b -o cat --no-pager')).split('\n')
      assert.deepEqual(
        journal.filter((line) =>
          /ordering cycle|btlinkd.*(?:Unknown key|Failed to|ignoring\.$)/.test(line),
        ),
        [],
      )
      const verified = await box.run('/usr/bin/systemd-analyze', [
        'verify',
        '--man=no',
        '--recursive-errors=no',
        'btlinkd.target',
        'btlinkd-dns.socket',
        'btlinkd-http.socket',
        ...ROLES.map((role) => `btlinkd-${role}.service`),
      ])
      assert.equal(verified.stdout + verified.stderr, '')
    })

    await t.test('are exposed by 1.6 at most by the measure of this systemd', async (s) => {
      for (const role of ROLES) {
        const text = await box.sh(`systemd-analyze security --no-pager btlinkd-${role}.service`)
        const exposure = Number(/exposure level for \S+ ([\d.]+)/.exec(text)?.[1])
        s.diagnostic(`${role} ${exposure}`)
        assert.ok(exposure <= 1.6, text)
      }
    })

    await t.test('have the declared sockets open and no others (R26)', async () => {
      const open = (await box.sh('ss -Hlntu'))
        .split('\n')
        .flatMap((line) => {
          const [kind = '', , , , local = ''] = line.split(/\s+/)
          return local === '' ? [] : `${kind} ${local.slice(local.lastIndexOf(':') + 1)}`
        })
        .toSorted()
      assert.deepEqual([...new Set(open)], OPEN)
    })

    await t.test('run as one user without any right of the kernel', async () => {
      for (const role of ROLES) {
        const status = await box.sh(`cat /proc/${await pidOf(role)}/status`)
        assert.match(status, new RegExp(`^Uid:\\s+${USER}\\s+${USER}\\s+${USER}\\s+${USER}$`, 'm'))
        const rights = [...status.matchAll(/^Cap\w+:\s+(\w+)$/gm)].map(([, bits]) => bits)
        assert.deepEqual(
          rights,
          Array.from({ length: 5 }, () => '0'.repeat(16)),
          role,
        )
        assert.match(status, /^NoNewPrivs:\s+1$/m)
        assert.match(status, /^Seccomp:\s+2$/m)
      }
    })

    await t.test('put DNS before all others', async () => {
      const turnOf = async (role: string) => box.sh(`chrt -p ${await pidOf(role)}`)
      assert.match(await turnOf('dns'), /SCHED_RR\|SCHED_RESET_ON_FORK/)
      assert.match(await turnOf('web'), /SCHED_OTHER/)
      assert.match(await turnOf('swarm'), /SCHED_OTHER/)
    })

    await t.test('see their own part of the state, and change nothing else', async () => {
      const seen = async (role: string, script: string) => {
        const pid = String(await pidOf(role))
        // As root: what is read-only here is so for everybody.
        const { stdout } = await box.run('/usr/bin/nsenter', [
          '-t',
          pid,
          '-m',
          '/bin/sh',
          '-c',
          script,
        ])
        return stdout
      }
      const list =
        'cd /var/lib/btlinkd && find . -type d -path "./store/torrents/*" -prune -o -print'
      const parts = async (role: string) => (await seen(role, list)).trim().split('\n').toSorted()
      assert.deepEqual(await parts('dns'), [
        '.',
        './run',
        './run/dns',
        './run/dns/listeners.json',
        './run/dns/lock',
        './run/dns/rpc.sock',
      ])
      const swarm = await parts('swarm')
      assert.ok(swarm.includes('./store/torrents') && swarm.includes('./run/swarm/rpc.sock'))
      assert.deepEqual(
        swarm.filter((path) => /pki|keys|acme|state\.db|admin|blobs|run\/(?!swarm)/.test(path)),
        [],
      )
      const web = await parts('web')
      for (const own of ['./pki', './keys', './state.db', './run/admin.sock']) {
        assert.ok(web.includes(own), own)
      }
      for (const role of ROLES) {
        for (const folder of ['/usr', '/etc', '/etc/btlinkd', '/boot', '/var', '/var/lib']) {
          const text = await seen(role, `touch ${folder}/x 2>&1; true`)
          assert.match(text, /Read-only file system|No such file/, `${role} ${folder}`)
        }
        assert.equal(await seen(role, 'find /home /root -mindepth 1'), '', role)
      }
    })

    await t.test('answer the house on ports 53, 80 and 443', async () => {
      for (const server of ['192.168.77.1', '192.168.77.2', 'fd77::1']) {
        for (const way of ['+notcp', '+tcp']) {
          const asked = inDevice(`dig +short +time=2 +tries=2 ${way} @${server} btlink A`)
          // From an address the box was not asked at, a device would take no answer.
          if (server === '192.168.77.2' && way === '+notcp') continue
          assert.match(await box.sh(asked), /^192\.168\.77\.[12]\n$/, `${server} ${way}`)
        }
      }
      for (const port of [80, 42080]) {
        const page = inDevice(`curl -sf -H "Host: btlink" http://192.168.77.1:${port}/`)
        assert.match(await box.sh(page), /<html/i)
      }
      assert.match(
        await box.sh(inDevice('curl -sfk https://192.168.77.1/.btlink/proxy.pac')),
        /FindProxyForURL/,
      )
    })

    await t.test('bring the parts of a site together over their sandboxes', async () => {
      const { components } = JSON.parse(await box.sh('btlinkd health --json')) as {
        components: Record<string, { status: string }>
      }
      assert.ok('torrent' in components && 'dns' in components)
      assert.match(await show(box, 'swarm', 'StatusText'), /^\d torrents, 0 peers at port 6881/)
      const site = await until('the first site', async () => {
        const { sites } = JSON.parse(await box.sh('btlinkd sites --json')) as {
          sites: { host: string }[]
        }
        return sites[0]
      })
      assert.match(
        await box.sh(inDevice(`curl -sf -H "Host: ${site.host}" http://192.168.77.1/`)),
        /<html/i,
      )
      const listeners = JSON.parse(
        await box.sh('cat /var/lib/btlinkd/run/listeners.json'),
      ) as object
      assert.deepEqual(
        Object.entries(listeners).map(([name, { port }]: [string, { port: number }]) => [
          name,
          port,
        ]),
        [
          ['dns', 53],
          ['dht', 6883],
          ['swarm', 6881],
          ['http', 80],
          ['https', 443],
          ['gateway', 9877],
          ['tracker', 6969],
        ],
      )
    })

    await t.test('come back after a kill, with nobody turned away meanwhile', async () => {
      for (const role of ROLES) {
        const before = await pidOf(role)
        await box.sh(`kill -9 ${before}`)
        if (role === 'web') {
          // The port is systemd's: who asks now waits for the new process. What is under way in the very
          // moment ends with the old one (FlushPending=), and is asked again as devices do.
          await box.sh(
            inDevice(
              'curl -sf -m 20 --retry 2 --retry-all-errors -H "Host: btlink" http://192.168.77.1/ -o /dev/null',
            ),
          )
        }
        if (role === 'dns') {
          await box.sh(inDevice('dig +short +time=10 +tries=2 @192.168.77.1 btlink A | grep 192'))
        }
        await until(`the ${role} role`, async () => (await pidOf(role)) !== before)
      }
      await settled(box)
    })

    await t.test('end a role whose event loop stands still, and start it again', async (s) => {
      await until('a fed watchdog', async () => (await show(box, 'dns', 'StatusText')) !== 'ready')
      const before = await pidOf('dns')
      const began = performance.now()
      await box.sh(`kill -STOP ${before}`)
      await until('the next process', async () => ![0, before].includes(await pidOf('dns')), {
        timeoutMs: (WATCHDOG_SECONDS + 15) * 1000,
      })
      s.diagnostic(`${Math.round(performance.now() - began)} ms at WatchdogSec=${WATCHDOG_SECONDS}`)
      assert.match(
        await box.sh('journalctl -u btlinkd-dns -o cat --no-pager'),
        /Watchdog timeout \(limit 5s\)/,
      )
      await settled(box)
      assert.match(await box.sh(inDevice('dig +short @192.168.77.1 btlink A')), /^192/)
    })

    await t.test('take secrets as credentials, and pass none on', async () => {
      const given = async (role: string) =>
        box.sh(`nsenter -t ${await pidOf(role)} -m find /run/credentials -type f`)
      const path = '/run/credentials/btlinkd-web.service/btlinkd.acme.eab_hmac_key'
      assert.equal(await given('web'), `${path}\n`)
      assert.equal(await given('swarm'), '')
      assert.equal(await given('dns'), '')
      assert.equal(await box.sh('grep -rl c2VjcmV0 /var/lib/btlinkd /var/log /run/log || true'), '')
    })

    await t.test('stay down where the configuration is wrong, and say why', async () => {
      await box.sh('echo "dsn: {}" >> /etc/btlinkd/btlinkd.yaml')
      const restarted = await box.run('/usr/bin/systemctl', ['restart', 'btlinkd-swarm'])
      assert.notEqual(restarted.code, 0)
      assert.equal(await show(box, 'swarm', 'ExecMainStatus'), '78')
      assert.equal(await show(box, 'swarm', 'ActiveState'), 'failed')
      assert.match(await box.sh('journalctl -u btlinkd-swarm -o cat'), /did you mean "dns"/)
      const before = await pidOf('web')
      await box.sh('sed -i "/^dsn/d" /etc/btlinkd/btlinkd.yaml; systemctl restart btlinkd.target')
      // The target is there again before its roles are.
      await until('the next process', async () => ![0, before].includes(await pidOf('web')))
      await settled(box)
    })

    await t.test('stop in time, and with them all that was open', async (s) => {
      await box.sh('systemctl stop btlinkd.target')
      await until('nothing to be open', async () => (await box.sh('ss -Hlntu')) === '')
      assert.equal(await box.sh('systemctl --failed --no-legend --type=service'), '')
      // A socket may have failed to start a role that was being stopped: it is closed all the same.
      const closed = await box.sh('systemctl --failed --no-legend --type=socket')
      if (closed !== '') s.diagnostic(await box.sh('journalctl -b --no-pager | tail -80'))
      const journal = await box.sh('journalctl -b -o cat --no-pager')
      assert.doesNotMatch(journal, /State 'stop-sigterm' timed out|code=dumped/)
    })
  })
})
