/** A configuration file as a plain value that remembers the line of each key. */
import { readFile, stat } from 'node:fs/promises'
import { codeOf, messageOf } from '../../base/errors.ts'
import { UnreadableConfig } from './errors.ts'

export interface ConfigSource {
  value: unknown
  /** What is wrong with the file as YAML, with the line. */
  faults: { line: number; message: string }[]
  /** The line (from 1) of the value at a JSON pointer, or of the nearest section around it. */
  lineOf(pointer: string): number | undefined
}

const MAX_BYTES = 1024 * 1024

/** @throws UnreadableConfig where the file is missing, not readable or larger than 1 MiB */
export async function readConfigFile(path: string): Promise<ConfigSource> {
  let text: string
  try {
    if ((await stat(path)).size > MAX_BYTES) throw new UnreadableConfig(path, 'it is over 1 MiB')
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new UnreadableConfig(path, 'no such file')
    throw error instanceof UnreadableConfig ? error : new UnreadableConfig(path, messageOf(error))
  }
  return parseYaml(text)
}

export async function parseYaml(text: string): Promise<ConfigSource> {
  const { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } = await import('yaml')
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true, version: '1.2' })
  const faults = [...document.errors, ...document.warnings].map((fault) => ({
    line: counter.linePos(fault.pos[0]).line,
    message: fault.message.split('\n')[0]?.replace(/ at line \d+.*$/, '') ?? 'is not YAML',
  }))
  const lineOf = (pointer: string): number | undefined => {
    let node: unknown = document.contents
    let offset: number | undefined
    for (const raw of pointer.split('/').slice(1)) {
      const key = raw.replaceAll('~1', '/').replaceAll('~0', '~')
      if (isSeq(node)) node = node.items[Number(key)]
      else if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
        if (!pair) break
        if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
        node = pair.value
      } else break
      if (isNode(node) && isScalar(node)) offset = node.range?.[0] ?? offset
    }
    return offset === undefined ? undefined : counter.linePos(offset).line
  }
  // Aliases could multiply a small file into a huge value; the library stops at 100 of them.
  const value: unknown = faults.length > 0 ? {} : (document.toJS({ maxAliasCount: 100 }) ?? {})
  return { value, faults, lineOf }
}
