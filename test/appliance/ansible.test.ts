import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { builtPackage } from '../support/debian-package.ts'
import {
  type BootedRoot,
  bootRoot,
  cloneRoot,
  runIn,
  withoutDebianRoot,
} from '../support/debian-root.ts'
import { missing, output, run } from '../support/processes.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const COLLECTION = fileURLToPath(new URL('../../ansible', import.meta.url))
const FILES = join(COLLECTION, 'roles/btlinkd/files')
const PLAY = '/usr/bin/ansible-playbook'
const LINT = '/usr/bin/ansible-lint'
const PROMTOOL = '/usr/bin/promtool'

/** A loaded machine is slow, and a box in QEMU slower. */
const PATIENCE = { timeoutMs: 90_000, everyMs: 500 }

/** The checkout's folder where Ansible looks for collections. */
async function environment(t: Cleanup): Promise<NodeJS.ProcessEnv> {
  const folder = await tempFolder(t, 'btl-ansible')
  const home = join(folder, 'ansible_collections/btlink')
  await mkdir(home, { recursive: true })
  await symlink(COLLECTION, join(home, 'appliance'))
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    NO_COLOR: '1',
    HOME: folder,
    ANSIBLE_COLLECTIONS_PATH: `${folder}:/usr/share/ansible/collections:/usr/lib/python3/dist-packages`,
    ANSIBLE_PIPELINING: '1',
    ANSIBLE_DISPLAY_SKIPPED_HOSTS: '0',
  }
}

interface Recap {
  ok: number
  changed: number
  failed: number
  text: string
}

/** Plays against roots by Ansible's chroot connection, which for a booted one enters its namespaces. */
async function createController(t: Cleanup, variables: Record<string, unknown>) {
  const env = await environment(t)
  const folder = env['HOME'] ?? ''
  const file = join(folder, 'variables.json')
  const deb = await builtPackage()
  return async (
    root: string | BootedRoot,
    playbook: string,
    more: readonly string[] = [],
  ): Promise<Recap> => {
    const values: Record<string, unknown> = {
      btlinkd_deb: deb,
      ansible_python_interpreter: '/usr/bin/python3',
      ...variables,
    }
    const path = typeof root === 'string' ? root : root.root
    // A root that is not booted has as little of this machine's network as one that is.
    const into = typeof root === 'string' ? 'unshare -n chroot' : `nsenter -t ${root.leader} -a`
    const enter = join(folder, 'enter')
    const shift = typeof root === 'string' ? '' : 'shift\n'
    await writeFile(enter, `#!/bin/sh\n${shift}exec ${into} "$@"\n`)
    await chmod(enter, 0o755)
    values['ansible_chroot_exe'] = enter
    await writeFile(file, JSON.stringify(values))
    const args = ['-i', `${path},`, '-c', 'community.general.chroot', '-e', `@${file}`]
    const { stdout, stderr } = await run(PLAY, [...args, ...more, `btlink.appliance.${playbook}`], {
      env,
      timeoutMs: 240_000,
    })
    const [, ok, changed, unreachable, failed] =
      /ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)/.exec(stdout) ?? []
    const text = `${stdout}\n${stderr}`
    assert.equal(`${unreachable} ${failed}`, '0 0', text)
    return { ok: Number(ok), changed: Number(changed), failed: Number(failed), text }
  }
}

const changes = ({ text }: Recap): string =>
  text
    .split(/^TASK /m)
    .filter((task) => task.includes('\nchanged:'))
    .join('')

describe('the Ansible collection', { skip: missing(PLAY, LINT, '/usr/bin/yamllint') }, () => {
  it('pleases ansible-lint by its strictest profile, and yamllint', async (t) => {
    const env = await environment(t)
    const cwd = join(env['HOME'] ?? '', 'ansible_collections/btlink/appliance')
    const args = ['--offline', '--profile', 'production', '--nocolor']
    const lint = await run(LINT, args, { env, cwd, timeoutMs: 120_000 })
    assert.equal(lint.code, 0, `${lint.stdout}${lint.stderr}`)
    assert.match(lint.stderr, /Passed with production profile: 0 failure\(s\), 0 warning\(s\)/)
    const yaml = await run('/usr/bin/yamllint', ['-s', '.'], { cwd: COLLECTION })
    assert.equal(yaml.stdout, '')
  })

  it('has rules for alerts that fire when they should', { skip: missing(PROMTOOL) }, async () => {
    const tests = join(COLLECTION, 'tests/rules.test.yml')
    const tested = await run(PROMTOOL, ['test', 'rules', tests])
    assert.equal(tested.code, 0, `${tested.stdout}${tested.stderr}`)
    const rules = await readFile(join(FILES, 'prometheus-rules.yml'), 'utf8')
    const text = await readFile(tests, 'utf8')
    const untested = [...rules.matchAll(/alert: (\w+)/g)]
      .map(([, name]) => name ?? '')
      .filter((name) => !text.includes(`alertname: ${name}\n`))
    assert.deepEqual(untested, [])
  })
})

const skip = withoutDebianRoot() || missing(PLAY, PROMTOOL)

describe('a Debian that Ansible makes a box', { skip }, () => {
  const metrics = new Set<string>()
  const collect = async (box: BootedRoot): Promise<void> => {
    const text = await box.sh('curl -sf http://127.0.0.1:9877/metrics')
    for (const line of text.split('\n')) metrics.add(line.split(/[ {]/)[0] ?? '')
  }

  it('R18: is made before it was ever booted, and has nothing left to change after', async (t) => {
    const root = await cloneRoot(t)
    const play = await createController(t, {
      btlinkd_config: { dns: { records: ['nas.lan=192.168.1.5'] } },
    })
    await output('/usr/bin/mount', ['-t', 'proc', 'proc', join(root, 'proc')])
    const foreseen = await play(root, 'house', ['--check'])
    assert.ok(foreseen.changed > 5)
    assert.equal((await runIn(root, '/usr/bin/test', ['-e', '/usr/bin/btlinkd'])).code, 1)

    const first = await play(root, 'house')
    assert.ok(first.changed > 5)
    await output('/usr/bin/umount', [join(root, 'proc')])

    const box = await bootRoot(t, root)
    await until(
      'the resolver',
      async () => {
        const { stdout } = await box.run('/usr/bin/dig', ['+short', 'nas.lan', '@127.0.0.1'])
        return stdout === '192.168.1.5\n'
      },
      PATIENCE,
    )
    const second = await play(box, 'house')
    assert.equal(second.changed, 0, changes(second))
    assert.equal(await box.sh('systemctl --failed --no-legend'), '')
    await box.sh('btlinkd config check && unbound-checkconf && avahi-daemon --check')
    assert.match(await box.sh('ss -Hlunp sport = :53'), /unbound/)
    assert.match(await box.sh('nft list table inet btlinkd'), /tcp dport 6881 accept/)
    assert.match(await box.sh('curl -sf http://127.0.0.1/ -H "Host: btlink"'), /<html/i)
    await collect(box)
  })

  describe('as a gateway on the internet', () => {
    it('Q07, Q08: answers behind nginx, and changes nothing the second time', async (t) => {
      const root = await cloneRoot(t)
      await output('/usr/bin/cp', [PROMTOOL, join(root, 'usr/bin/promtool')])
      const play = await createController(t, {
        btlinkd_domain: 'gw.example.org',
        btlinkd_email: 'you@example.org',
        btlinkd_acme_terms_agreed: true,
        btlinkd_monitoring: true,
        btlinkd_monitoring_packages: [],
      })
      const box = await bootRoot(t, root)
      await play(box, 'public_gateway')
      const second = await play(box, 'public_gateway')
      assert.equal(second.changed, 0, changes(second))

      assert.equal(await box.sh('systemctl --failed --no-legend'), '')
      await box.sh('nginx -t 2>&1')
      const ask = (host: string) =>
        box.sh(`curl -s --max-time 20 -i http://127.0.0.1/ -H "Host: ${host}" || true`)
      await until(
        'the page',
        async () => (await ask('gw.example.org')).startsWith('HTTP/1.1 200'),
        PATIENCE,
      )
      const page = await ask('gw.example.org')
      assert.match(page, /\r\nServer: nginx\r\n/)
      assert.match(page, /\r\nX-Cache: /)
      // An open proxy is what it must not be.
      assert.doesNotMatch(await ask('example.net'), /^HTTP\/1\.1 200/)
      assert.match(await box.sh('ss -Hltnp sport = :80'), /nginx/)
      assert.match(await box.sh('ss -Hltn sport = :42080'), /127\.0\.0\.1:42080/)
      assert.equal(await box.sh('ss -Hlun sport = :53'), '')
      assert.match(await box.sh('ss -Hltn sport = :9877'), /127\.0\.0\.1:9877/)
      const status = JSON.parse(await box.sh('btlinkd status --json')) as object
      assert.match(JSON.stringify(status), /gw\.example\.org/)
      await box.sh('promtool check config /etc/prometheus/prometheus.yml')
      await collect(box)
    })

    it('is watched by numbers that it really has', async () => {
      assert.ok(metrics.size > 50)
      const dashboard = await readFile(join(FILES, 'grafana-dashboard.json'), 'utf8')
      const { panels } = JSON.parse(dashboard) as {
        panels: { targets: { expr: string }[] }[]
      }
      const rules = await readFile(join(FILES, 'prometheus-rules.yml'), 'utf8')
      const expressions = [
        ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
        ...[...rules.matchAll(/expr: (.*)/g)].map(([, expr]) => expr ?? ''),
      ]
      assert.ok(expressions.length > 40)
      const named = expressions.flatMap((expr) =>
        [...expr.matchAll(/\b([a-z][a-z0-9_]*)\{/g)].map(([, name]) => name ?? ''),
      )
      const unknown = [...new Set(named)].filter((name) => name !== 'up' && !metrics.has(name))
      assert.deepEqual(unknown, [])
    })
  })
})
