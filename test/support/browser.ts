/** Debian's Chromium, headless, driven through playwright-core, alone with what the test shows it. */
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Browser, chromium } from 'playwright-core'
import { familyOf } from './processes.ts'
import { type Cleanup, finallyDo, tempFolder } from './temp.ts'

export const CHROMIUM = '/usr/bin/chromium'

const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Chromium, inside a box's network where asked; closed when the test ends. */
export async function browser(
  t: Cleanup,
  options: { netns?: string; switches?: string[]; env?: Record<string, string> } = {},
): Promise<Browser> {
  let executablePath = CHROMIUM
  if (options.netns !== undefined) {
    // It is driven over inherited pipes, so it may live in another network than the test.
    executablePath = join(await tempFolder(t, 'chromium'), 'chromium')
    const script = `#!/bin/sh\nexec /usr/sbin/ip netns exec ${options.netns} ${CHROMIUM} "$@"\n`
    await writeFile(executablePath, script)
    await chmod(executablePath, 0o755)
  }
  const opened = await chromium.launch({
    executablePath,
    headless: true,
    args: [...SWITCHES, ...(options.switches ?? [])],
    ...(options.env && { env: { ...process.env, ...options.env } }),
  })
  finallyDo(t, async () => {
    await Promise.race([opened.close(), sleep(5000, undefined, { ref: false })])
    // Now and then it does not answer any more, and would hold the test run for ever.
    for (const { pid, command } of await familyOf(process.pid)) {
      if (command.includes('chromium')) process.kill(pid, 'SIGKILL')
    }
  })
  return opened
}
