/** Settings as YAML text: changed in place, so that comments stay. */
import type { Change } from './merge.ts'

/** The value of a text; undefined where it is not YAML with keys. */
export async function valueOfYaml(text: string): Promise<Record<string, unknown> | undefined> {
  const { parseDocument } = await import('yaml')
  try {
    const document = parseDocument(text, {
      version: '1.2',
      uniqueKeys: true,
      // Else keys that are lists are told on stderr.
      logLevel: 'error',
    })
    if (document.errors.length > 0 || document.warnings.length > 0) return undefined
    // Aliases could multiply a small file into a huge value.
    const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {}
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** The text with the changes in it. */
export async function withChanges(text: string, changes: readonly Change[]): Promise<string> {
  const { Document, isMap, parseDocument } = await import('yaml')
  const read: InstanceType<typeof Document> = parseDocument(text, { version: '1.2' })
  const document = isMap(read.contents) ? read : new Document({}, { version: '1.2' })
  // What stands in a file of nothing but comments stays.
  if (document !== read) document.commentBefore = read.commentBefore ?? read.comment
  for (const { path, value } of changes) {
    if (value === undefined) {
      if (document.hasIn(path)) document.deleteIn(path)
      continue
    }
    for (let depth = 1; depth < path.length; depth++) {
      const section = path.slice(0, depth)
      if (!isMap(document.getIn(section))) document.setIn(section, document.createNode({}))
    }
    document.setIn(path, document.createNode(value))
  }
  return document.toString({ lineWidth: 0 })
}

/** The text without these keys. */
export async function withoutValues(
  text: string,
  paths: readonly (readonly string[])[],
): Promise<string> {
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text, { version: '1.2' })
  for (const path of paths) document.deleteIn(path)
  const head = `# Taken out after the box had read them: ${paths.map((path) => path.join('.')).join(', ')}\n`
  return head + document.toString({ lineWidth: 0 })
}
