/** Debian's Firefox, headless, inside a box's network where asked. */
import { fileURLToPath } from 'node:url'
import { start } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

export const FIREFOX = '/usr/bin/firefox-esr'
const CHILD = fileURLToPath(new URL('firefox-child.ts', import.meta.url))

export interface FirefoxPage {
  /** Evaluates an expression in the page; promises are awaited, the result is JSON. */
  evaluate<Result>(script: string): Promise<Result>
}

/** A page of a Firefox of its own, closed when the test ends. */
export async function firefoxPage(t: Cleanup, url: string, netns?: string): Promise<FirefoxPage> {
  const profile = await tempFolder(t, 'firefox')
  const child = start(t, process.execPath, [CHILD, profile, url], { netns })
  await child.line((line) => line.includes('"ready"'), 30_000)
  let lastId = 0
  return {
    async evaluate<Result>(script: string) {
      const id = ++lastId
      child.send(JSON.stringify({ id, script }))
      const line = await child.line((text) => text.startsWith(`{"id":${id},`), 30_000)
      const { result, failure } = JSON.parse(line) as { result: Result; failure?: string }
      if (failure !== undefined) throw new Error(failure)
      return result
    },
  }
}
