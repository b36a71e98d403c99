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
/** More than anybody reads. */
const MAX_FAULTS = 100

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
  // The library compares each key with each: a minute for what fits into one file.
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: false, version: '1.2' })
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
  const findTwice = (): void => {
    const open: unknown[] = [document.contents]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (isSeq(node)) for (const item of node.items) open.push(item)
      if (!isMap(node)) continue
      const seen = new Set<string>()
      for (const { key, value } of node.items) {
        if (value !== undefined) open.push(value)
        if (!isScalar(key)) continue
        const name = String(key.value)
        const line = counter.linePos(key.range?.[0] ?? 0).line
        if (seen.has(name)) faults.push({ line, message: 'Map keys must be unique' })
        seen.add(name)
      }
    }
  }
  const valueOf = (): unknown => {
    try {
      // Aliases could multiply a small file into a huge value; the library stops at 100 of them.
      return document.toJS({ maxAliasCount: 100 }) ?? {}
    } catch (error) {
      faults.push({ line: 1, message: messageOf(error) })
      return {}
    }
  }
  if (faults.length === 0) findTwice()
  const value = faults.length > 0 ? {} : valueOf()
  return { value, faults: faults.slice(0, MAX_FAULTS), lineOf }
}
