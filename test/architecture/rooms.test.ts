import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { filesBelow, read, ROOT, rooms } from '../support/sources.ts'

const SECTIONS = ['Name', 'Description', 'Configuration', 'Errors', 'Metrics', 'Examples']
const MAX_LINES = 400
const MAX_MANUAL_LINES = 100

const blocks = (manual: string) =>
  [...manual.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
  }))

describe('rooms', () => {
  it('are there to be looked at', () => {
    assert.ok(rooms().length >= 8, rooms().join(' '))
  })

  for (const room of rooms()) {
    it(`${room} has a door and a manual of one screen in the usual order`, () => {
      assert.ok(existsSync(join(ROOT, room, 'index.ts')), 'no index.ts')
      const manual = read(`${room}/README.md`)
      const headings = [...manual.matchAll(/^#+ (.+)$/gm)].map((match) => match[1]?.trim() ?? '')
      assert.deepEqual(
        headings.filter((heading) => SECTIONS.includes(heading)),
        SECTIONS,
      )
      assert.ok(manual.split('\n').length <= MAX_MANUAL_LINES, 'longer than a screen')
    })

    it(`${room} shows examples that parse`, async () => {
      for (const { language, text } of blocks(read(`${room}/README.md`))) {
        if (language === 'sh' || language === 'bash') {
          const { code, stderr } = await run('bash', ['-n'], { input: text })
          assert.equal(code, 0, `${stderr}\n${text}`)
        }
        if (language === 'ts') stripTypeScriptTypes(text)
        if (language === 'json') JSON.parse(text)
      }
    })
  }

  it('keep every key of their configuration in snake case with a default and a sentence', async () => {
    for (const file of filesBelow('src', 'config.ts').filter((f) => basename(f) === 'config.ts')) {
      const exports = (await import(join(ROOT, file))) as Record<string, unknown>
      for (const [name, schema] of Object.entries(exports)) {
        if (name.endsWith('ConfigSchema')) checkSection(`${file} ${name}`, schema)
      }
    }
  })
})

interface Schema {
  type?: string
  additionalProperties?: unknown
  properties?: Record<string, Schema>
  description?: string
  default?: unknown
}

function checkSection(where: string, schema: unknown): void {
  const { properties = {}, additionalProperties } = schema as Schema
  assert.equal(additionalProperties, false, `${where} lets unknown keys pass`)
  for (const [key, property] of Object.entries(properties)) {
    assert.match(key, /^[a-z][a-z0-9_]*$/, `${where}/${key}`)
    if (property.type === 'object' && property.properties) {
      checkSection(`${where}/${key}`, property)
      continue
    }
    assert.ok(property.description, `${where}/${key} has no description`)
    assert.notEqual(property.default, undefined, `${where}/${key} has no default`)
  }
}

describe('source files', () => {
  const files = [...filesBelow('src', '.ts'), ...filesBelow('src', '.mjs')]

  it(`have at most ${MAX_LINES} lines`, () => {
    const long = files.map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }))
    assert.deepEqual(
      long.filter(({ lines }) => lines > MAX_LINES),
      [],
    )
  })

  it('have kebab-case names that say what they hold', () => {
    const vague = /^(utils?|helpers?|common|managers?|types?|misc)\.ts$/
    const odd = files.filter(
      (file) => vague.test(basename(file)) || !/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(basename(file)),
    )
    assert.deepEqual(odd, [])
  })

  it('hold nothing unfinished', () => {
    const words = /\b(T[O]DO|F[I]XME|X[X]X)\b/
    assert.deepEqual(
      files.filter((file) => words.test(read(file))),
      [],
    )
  })
})

describe('tests', () => {
  it('are neither left out nor the only ones that run', () => {
    const pattern = /\b(it|test|describe)\.(skip|only|todo)\(|skip: true\b/
    const odd = filesBelow('test', '.test.ts').filter(
      (file) => !file.endsWith('architecture/rooms.test.ts') && pattern.test(read(file)),
    )
    assert.deepEqual(odd, [])
  })
})
