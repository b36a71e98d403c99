/** Child processes of a test: started with what they need, ended with everything they started. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cleanup, finallyDo } from './temp.ts'

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Run inside this network namespace. */
  netns?: string | undefined
  /** Text for stdin; without it stdin is empty. */
  input?: string
  timeoutMs?: number
}

export interface RunResult {
  code: number | null
  stdout: string
  stderr: string
}

export interface Running {
  readonly pid: number
  readonly child: ChildProcess
  /** What it printed so far, stdout and stderr together, at most 1 MB. */
  output(): string
  /** The next stdout line that `matches`, counting lines already printed. */
  line(matches: (line: string) => boolean, timeoutMs?: number): Promise<string>
  /** Sends one line to stdin. */
  send(line: string): void
  /** Ends it, waits, and after 5 s ends it hard. */
  stop(): Promise<void>
  kill(signal: NodeJS.Signals): void
  exited: Promise<number | null>
}

const MAX_OUTPUT = 1_000_000

function commandLine(command: string, args: string[], netns?: string): [string, string[]] {
  return netns === undefined
    ? [command, args]
    : ['/usr/sbin/ip', ['netns', 'exec', netns, command, ...args]]
}

/** Runs a program to its end; its exit code is an answer, not a failure. */
export async function run(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const [file, rest] = commandLine(command, args, options.netns)
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      rest,
      {
        cwd: options.cwd,
        env: options.env ?? process.env,
        timeout: options.timeoutMs ?? 30_000,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error && 'code' in error && typeof error.code === 'string') reject(error)
        else if (error?.killed === true)
          reject(new Error(`${command} did not end in time: ${stdout}${stderr}`, { cause: error }))
        else resolve({ code: child.exitCode, stdout, stderr })
      },
    )
    // A program that ends before it read its stdin has answered all the same.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input ?? '')
  })
}

/** Runs a program that must succeed, and gives its stdout. */
export async function output(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, args, options)
  if (result.code !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${result.code}: ${result.stdout}${result.stderr}`,
    )
  }
  return result.stdout
}

/** Starts a program that stays until the test ends or `stop` is called. */
export function start(
  t: Cleanup,
  command: string,
  args: string[],
  options: RunOptions = {},
): Running {
  const [file, rest] = commandLine(command, args, options.netns)
  const child = spawn(file, rest, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let printed = ''
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const keep = (text: string) => {
    if (printed.length < MAX_OUTPUT) printed += text
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    keep(`${line}\n`)
    lines.push(line)
    for (const watcher of watchers) watcher()
  })
  child.stderr.on('data', (chunk: Buffer) => keep(chunk.toString()))
  // A child that ends first closes its stdin under us; its exit says so already.
  child.stdin.on('error', () => undefined)
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code))
    child.once('error', () => resolve(null))
  })
  const running = () => child.exitCode === null && child.signalCode === null
  const stop = async () => {
    if (!running()) return
    child.stdin.end()
    child.kill('SIGTERM')
    await Promise.race([exited, sleep(5000, undefined, { ref: false })])
    if (running()) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  finallyDo(t, stop)
  return {
    pid: child.pid ?? -1,
    child,
    output: () => printed,
    async line(matches, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs
      for (let seen = 0; ; ) {
        for (; seen < lines.length; seen++) {
          const line = lines[seen]
          if (line !== undefined && matches(line)) return line
        }
        const left = deadline - Date.now()
        if (left <= 0 || !running()) {
          throw new Error(`${command} printed no such line; it said:\n${printed}`)
        }
        await nextLine(watchers, exited, left)
      }
    },
    send(line) {
      child.stdin.write(`${line}\n`)
    },
    stop,
    kill: (signal) => void child.kill(signal),
    exited,
  }
}

async function nextLine(
  watchers: Set<() => void>,
  exited: Promise<unknown>,
  ms: number,
): Promise<void> {
  let wake = () => {}
  const line = new Promise<void>((resolve) => {
    wake = resolve
  })
  watchers.add(wake)
  const timer = new AbortController()
  try {
    await Promise.race([
      line,
      exited,
      sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined),
    ])
  } finally {
    timer.abort()
    watchers.delete(wake)
  }
}

/**
 * Whether a program of the system is here. In CI a missing one is a failure, elsewhere the test
 * says what is missing and is left out.
 */
export function missing(...programs: string[]): string | false {
  const absent = programs.filter((program) => !existsSync(program))
  if (absent.length === 0) return false
  const what = `needs ${absent.join(', ')}: see npm test's set-up`
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(what)
  return what
}

async function childrenOf(parent: number): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = await readFile(`/proc/${entry}/stat`, 'utf8')
      const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (ppid !== parent) continue
      const command = (await readFile(`/proc/${entry}/cmdline`, 'utf8')).replaceAll('\0', ' ')
      found.push({ pid: Number(entry), command })
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

/** Every process below `pid`. */
export async function familyOf(pid: number): Promise<{ pid: number; command: string }[]> {
  const children = await childrenOf(pid)
  const below = await Promise.all(children.map((child) => familyOf(child.pid)))
  return [...children, ...below.flat()]
}
