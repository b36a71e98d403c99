import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** It lies two folders up from the sources and from the compiled tree. */
export const packageFile = fileURLToPath(new URL('../../package.json', import.meta.url))

/** The version of package.json. */
export function version(): string {
  const text = readFileSync(packageFile, 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
