/**
 * Debian's Firefox as a person has it: certificate errors stop it, and an administrator's policies hold.
 * Spoken to by Marionette, its own protocol: `<length>:<JSON>` over TCP. playwright-core drives only a
 * Firefox that it patched itself.
 */
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { start } from './processes.ts'
import { type Cleanup, finallyDo } from './temp.ts'
import { until } from './until.ts'

export const FIREFOX = '/usr/bin/firefox-esr'

type Prefs = Record<string, string | number | boolean>

/** Alone with what the test shows it. */
const PREFS: Prefs = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'marionette.port': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,#',
}

/** Where it has no network of its own, every host is this machine. */
const HERE: Prefs = { 'network.dns.forceResolve': '127.0.0.1', 'network.proxy.type': 0 }

export interface FirefoxWindow {
  /** Loads a page. Rejects with what Firefox says of it, such as "insecure certificate". */
  open(url: string): Promise<void>
  title(): Promise<string>
}

type Answer = [
  kind: 1,
  id: number,
  failure: { error: string; message: string } | null,
  value: unknown,
]

/** One command at a time, each with its answer. */
function createWire(socket: Duplex) {
  let buffer = Buffer.alloc(0)
  let lastId = 0
  const waiting = new Map<number, (answer: Answer) => void>()
  const ended = new Promise<never>((_resolve, reject) => {
    socket.once('close', () => reject(new Error('Firefox hung up')))
    socket.once('error', reject)
  })
  ended.catch(() => undefined)

  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    for (;;) {
      const colon = buffer.indexOf(':')
      const end = colon + 1 + Number(buffer.subarray(0, Math.max(colon, 0)).toString())
      if (colon < 0 || buffer.length < end) return
      const message: unknown = JSON.parse(buffer.subarray(colon + 1, end).toString())
      buffer = buffer.subarray(end)
      // The first message is a greeting.
      if (!Array.isArray(message)) continue
      const answer = message as Answer
      waiting.get(answer[1])?.(answer)
      waiting.delete(answer[1])
    }
  })

  return async (command: string, parameters: object): Promise<unknown> => {
    const id = ++lastId
    const answer = new Promise<Answer>((take) => void waiting.set(id, take))
    const text = Buffer.from(JSON.stringify([0, id, command, parameters]))
    socket.write(`${text.length}:`)
    socket.write(text)
    const [, , failure, value] = await Promise.race([answer, ended])
    if (failure) throw new Error(`${failure.error}: ${failure.message}`)
    return value
  }
}

/** Marionette listens on the loopback of Firefox's network: from elsewhere a program in there carries it. */
function reach(t: Cleanup, port: number, netns: string | undefined): Duplex {
  if (netns === undefined) return connect(port, '127.0.0.1')
  const args = ['netns', 'exec', netns, '/usr/bin/busybox', 'nc', '127.0.0.1', String(port)]
  const child = spawn('/usr/sbin/ip', args, { stdio: ['pipe', 'pipe', 'ignore'] })
  finallyDo(t, () => void child.kill('SIGKILL'))
  return Duplex.from({ readable: child.stdout, writable: child.stdin })
}

/**
 * @param profile a folder, in which its certificate database may lie already
 * @param options.policies a folder with the policies.json of an administrator, for this Firefox alone
 * @param options.netns runs in there, with whatever that network says about names and proxies
 */
export async function firefoxWindow(
  t: Cleanup,
  profile: string,
  options: { policies?: string; netns?: string; prefs?: Prefs } = {},
): Promise<FirefoxWindow> {
  const { netns, prefs } = options
  const lines = Object.entries({ ...PREFS, ...(netns === undefined ? HERE : {}), ...prefs }).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
  )
  await writeFile(join(profile, 'user.js'), `${lines.join('\n')}\n`)
  const switches = ['--headless', '--marionette', '--no-remote', '--profile', profile]
  const env = { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' }
  if (options.policies === undefined) start(t, FIREFOX, switches, { env, netns })
  else {
    // Policies are read from a fixed place only; a mount namespace puts ours there for nobody else.
    const script = `mount --bind "$0" /usr/lib/firefox-esr/distribution && exec ${FIREFOX} "$@"`
    const args = ['--mount', 'sh', '-c', script, options.policies, ...switches]
    start(t, '/usr/bin/unshare', args, { env, netns })
  }
  const port = await until(
    'Firefox',
    async () => Number(await readFile(join(profile, 'MarionetteActivePort'), 'utf8')) || undefined,
    { timeoutMs: 60_000 },
  )
  const socket = reach(t, port, netns)
  finallyDo(t, () => void socket.destroy())
  const ask = createWire(socket)
  await ask('WebDriver:NewSession', {})
  finallyDo(t, async () => {
    // It hangs up while it answers.
    await ask('Marionette:Quit', { flags: ['eForceQuit'] }).catch(() => undefined)
  })
  return {
    async open(url) {
      await ask('WebDriver:Navigate', { url })
    },
    async title() {
      const { value } = (await ask('WebDriver:GetTitle', {})) as { value: string }
      return value
    },
  }
}
