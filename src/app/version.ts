import { readFileSync } from 'node:fs'

/** The version of package.json, which lies two folders up from the sources and from the compiled tree. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
