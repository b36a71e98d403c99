import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { curl } from '../../support/curl.ts'
import { freePort } from '../../support/free-port.ts'
import { notifySocket, PYTHON, startGiven } from '../../support/notify-socket.ts'
import { familyOf, missing, output, run, start } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const ACTIVATE = '/usr/bin/systemd-socket-activate'
const DIG = '/usr/bin/dig'

interface Place {
  state: string
  /** The command of a role, as a unit has it. */
  serve: (role: string) => string[]
}

async function place(t: Cleanup, more = ''): Promise<Place> {
  const state = await tempFolder(t, 'btl-unit')
  const file = join(state, 'btlinkd.yaml')
  await writeFile(
    file,
    [
      `state_dir: ${state}`,
      'dht: { bootstrap_nodes: [], allow_local: true, port: 0 }',
      'swarm: { lsd: false, map_port: false, port: 0 }',
      'proxy: { http_port: 0, https_port: 0, address: 127.0.0.1 }',
      'gateway: { port: 0, address: 127.0.0.1 }',
      'tracker: { udp_port: 0 }',
      'dns: { port: 0, listen: [127.0.0.1] }',
      more,
    ].join('\n'),
  )
  const main = join(ROOT, 'src/app/main.ts')
  return {
    state,
    serve: (role) => [process.execPath, main, 'serve', '--role', role, '--config', file],
  }
}

const listenersOf = async (state: string, role: string): Promise<unknown> =>
  JSON.parse(await readFile(join(state, 'run', role, 'listeners.json'), 'utf8'))

const watched = (path: string, seconds: number): NodeJS.ProcessEnv => ({
  ...process.env,
  NOTIFY_SOCKET: path,
  WATCHDOG_USEC: String(seconds * 1_000_000),
})

describe('a role alone, as a unit of systemd', {
  skip: missing(PYTHON, ACTIVATE, DIG),
  concurrency: 3,
}, () => {
  it('answers DNS over the sockets of both kinds and families that it was given (R17)', async (t) => {
    const { state, serve } = await place(t)
    const sockets = ['dns-udp=udp@::', 'dns-tcp=tcp@::']
    const role = await startGiven(t, sockets, serve('dns'), process.env)
    await until('the role', () => role.output().includes('answers DNS'))
    assert.match(role.output(), /takes the sockets of systemd in place of the configured port/)
    for (const server of ['127.0.0.1', '::1']) {
      for (const way of ['+notcp', '+tcp']) {
        const args = [`@${server}`, '-p', String(role.port), way, '+time=3', 'btlink', 'A']
        const text = await output(DIG, [...args, '+short'])
        // Whoever asks over the loopback finds the box there.
        assert.match(text, /^127\.\d+\.\d+\.\d+\n/, `${server} ${way}`)
      }
    }
    assert.deepEqual(await listenersOf(state, 'dns'), {
      dns: { port: role.port, transport: 'tcp+udp' },
    })
  })

  it('answers DNS over sockets of one address each', async (t) => {
    const { serve } = await place(t)
    const sockets = ['dns-udp=udp@127.0.0.1', 'dns-tcp=tcp@127.0.0.1', 'dns-udp=udp@::1']
    const role = await startGiven(t, sockets, serve('dns'), process.env)
    await until('the role', () => role.output().includes('answers DNS'))
    for (const server of ['127.0.0.1', '::1']) {
      const args = [`@${server}`, '-p', String(role.port), '+time=3', 'wrong.btlink', 'A']
      assert.match(await output(DIG, args), /status: NXDOMAIN/, server)
    }
  })

  it('says when half of the sockets for DNS are missing', async (t) => {
    const { serve } = await place(t)
    const role = await startGiven(t, ['dns-udp=udp@127.0.0.1'], serve('dns'), process.env)
    await until('the warning', () => role.output().includes('answers DNS only in part'))
  })

  it('serves HTTP on the sockets of systemd-socket-activate (R17)', async (t) => {
    const { state, serve } = await place(t)
    const [http, https] = [await freePort(), await freePort()]
    const args = ['--fdname=http:https', '-l', `127.0.0.1:${http}`, '-l', `127.0.0.1:${https}`]
    const role = start(t, ACTIVATE, [...args, '-E', 'PATH', ...serve('web')])
    await until('the first socket', () => role.output().includes(`:${https} as 4`))
    // The first request starts the role, and waits for it.
    const answer = await curl(`http://127.0.0.1:${http}/.btlink/proxy.pac`, {
      host: 'btlink.localhost',
      maxSeconds: 25,
    })
    assert.equal(answer.status, 200)
    assert.match(answer.text(), new RegExp(`:${http}\\b`))
    const secure = await curl(`https://127.0.0.1:${https}/.btlink/proxy.pac`, { more: ['-k'] })
    assert.equal(secure.status, 200)
    await until('the file', async () => {
      const found = (await listenersOf(state, 'web')) as Record<string, { port: number }>
      return found['http']?.port === http && found['https']?.port === https
    })
  })

  it('ends with 78 on sockets or a configuration that cannot be meant', async (t) => {
    const { serve } = await place(t)
    const role = await startGiven(t, ['ftp=tcp@127.0.0.1'], serve('web'), process.env)
    assert.equal(await role.exited, 78)
    assert.match(role.output(), /there is no place for one called "ftp", only for http, https/)
    const wrong = await place(t, 'dsn: {}')
    const [command = '', ...args] = wrong.serve('dns')
    assert.equal((await run(command, args)).code, 78)
  })

  it('tells systemd by one write each what it is and that it lives (R16)', async (t) => {
    const ear = await notifySocket(t)
    const { serve } = await place(t)
    // Without any program in the path: it is told by the descriptor.
    const env = { ...watched(ear.path, 3), PATH: '/nowhere' }
    const role = await startGiven(t, ['notify=notify@'], serve('swarm'), env)
    const first = await ear.heard('READY=1')
    assert.equal(ear.messages()[0], first)
    await ear.heard('WATCHDOG=1')
    await ear.heard(/^STATUS=0 torrents, 0 peers at port \d+, 0 DHT nodes$/)
    role.kill('SIGTERM')
    await ear.heard('STOPPING=1')
    assert.equal(await role.exited, 0)
  })

  for (const name of ['dns', 'web', 'swarm']) {
    it(`tells an older systemd by its own program that the ${name} role is ready and lives (R16)`, async (t) => {
      const ear = await notifySocket(t)
      const { serve } = await place(t)
      const [command = '', ...args] = serve(name)
      start(t, command, args, { env: watched(ear.path, 3) })
      await ear.heard('READY=1')
      await ear.heard('WATCHDOG=1')
      await ear.heard(/^STATUS=.*port/)
    })
  }

  it('does not feed the watchdog while its event loop hangs (R16)', async (t) => {
    const ear = await notifySocket(t)
    const { serve } = await place(t)
    const [command = '', ...args] = serve('dns')
    const role = start(t, command, args, { env: watched(ear.path, 1) })
    await ear.heard('WATCHDOG=1')
    const fed = (): number => ear.messages().filter((text) => text.includes('WATCHDOG=1')).length
    role.kill('SIGSTOP')
    await sleep(300)
    const before = fed()
    await sleep(1500)
    assert.equal(fed(), before)
    role.kill('SIGCONT')
    await until('the next beat', () => fed() > before)
  })

  it('ends well when it is stopped while its configuration is read', async (t) => {
    const { serve } = await place(t)
    const [command = '', ...args] = serve('web')
    const role = start(t, command, args)
    const reader = await until(
      'the reader',
      async () => (await familyOf(role.pid)).find((one) => one.command.includes('config-child')),
      { everyMs: 5 },
    )
    // As systemd stops a unit: all of its processes at once.
    role.kill('SIGTERM')
    process.kill(reader.pid, 'SIGTERM')
    assert.equal(await role.exited, 0)
  })

  it('has nothing to do where the configuration has no such role', async (t) => {
    const ear = await notifySocket(t)
    const { serve } = await place(t, 'mode: gateway-only')
    const [command = '', ...args] = serve('dns')
    const role = start(t, command, args, { env: watched(ear.path, 3) })
    assert.equal(await role.exited, 0)
    await ear.heard('READY=1')
    await ear.heard('STATUS=the configuration has no such role')
  })

  it('finds the others whichever starts first, and again after they were killed', async (t) => {
    const { state, serve } = await place(t)
    const launch = (name: string) => {
      const [command = '', ...args] = serve(name)
      return start(t, command, args)
    }
    const web = launch('web')
    const sock = ['--unix-socket', join(state, 'run', 'admin.sock'), '-s', '-m', '9']
    const api = (path: string) => output('/usr/bin/curl', [...sock, `http://localhost${path}`])
    await until('the API', () => api('/api/health').then((text) => text.includes('components')))
    // It waits for the swarm role to publish its first site.
    await until('the web role to wait', () => web.output().includes('waits for another role'))
    const dns = launch('dns')
    let swarm = launch('swarm')
    const isWell = async (part: string): Promise<boolean> => {
      const { components } = JSON.parse(await api('/api/health')) as {
        components: Record<string, { status: string; detail?: string }>
      }
      return components[part] !== undefined && components[part].status !== 'down'
    }
    await until('both', async () => (await isWell('torrent')) && (await isWell('dns')))
    await until('the first site', async () => (await api('/api/sites')).includes('Welcome'))
    swarm.kill('SIGKILL')
    await swarm.exited
    await until('the loss', async () => !(await isWell('torrent')))
    swarm = launch('swarm')
    await until('the swarm role', () => isWell('torrent'))
    assert.equal(web.child.exitCode, null)
    assert.equal(dns.child.exitCode, null)
  })
})
