import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { declaredErrors } from '../support/declared-errors.ts'
import { filesBelow, read, rooms } from '../support/sources.ts'

const errors = declaredErrors()

describe('error codes', () => {
  it('are declared with their code, message and status written out', () => {
    const calls = filesBelow('src', '.ts')
      .filter((file) => file !== 'src/base/errors.ts')
      .reduce((sum, file) => sum + read(file).split('declareError(').length - 1, 0)
    assert.equal(errors.length, calls)
    assert.ok(calls > 20, `found only ${calls} declared errors`)
  })

  it('are each declared once', () => {
    const codes = errors.map((error) => error.code)
    assert.deepEqual(
      codes.filter((code, index) => codes.indexOf(code) !== index),
      [],
    )
  })

  it('are named for the room that declares them', () => {
    const strangers = errors.filter(({ code, file }) => {
      // `app` is no room: its errors are named for what they are about (RPC, CONFIG, CLI).
      if (file.startsWith('src/app/')) return false
      const places = file.split('/').slice(1, -1)
      const names = places.map((place) => place.toUpperCase().replaceAll('-', '_'))
      return !names.some((name) => code.startsWith(`BTL_ERR_${name}_`))
    })
    assert.deepEqual(
      strangers.map(({ code, file }) => `${file}: ${code}`),
      [],
    )
  })

  it('have messages in lower case without the word "error"', () => {
    const odd = errors.filter(
      ({ message }) =>
        /\berror\b/i.test(message) || /^[A-Z][a-z]+ /.test(message) || message === '',
    )
    assert.deepEqual(
      odd.map(({ code, message }) => `${code}: ${message}`),
      [],
    )
  })

  it('have an HTTP status', () => {
    const odd = errors.filter(({ status }) => status < 400 || status > 599)
    assert.deepEqual(
      odd.map(({ code, status }) => `${code}: ${status}`),
      [],
    )
  })

  it('stand in docs/errors.md, with none extra', () => {
    const page = [...read('docs/errors.md').matchAll(/`(BTL_ERR_\w+)`/g)].map(
      (match) => match[1] ?? '',
    )
    assert.deepEqual(
      page.toSorted((a, b) => (a < b ? -1 : 1)),
      errors.map((error) => error.code).toSorted((a, b) => (a < b ? -1 : 1)),
    )
  })

  it('stand in the manual of their room', () => {
    const missing = rooms().flatMap((room) => {
      const manual = read(`${room}/README.md`)
      return errors
        .filter(({ file, code }) => file.startsWith(`${room}/`) && !manual.includes(code))
        .map(({ code }) => `${room}: ${code}`)
    })
    assert.deepEqual(missing, [])
  })

  it('are named in the code only where they are declared', () => {
    const declared = new Set(errors.map((error) => error.code))
    const unknown = filesBelow('src', '.ts').flatMap((file) =>
      [...read(file).matchAll(/BTL_ERR_[A-Z0-9]+_[A-Z0-9_]*[A-Z0-9]/g)]
        .map((match) => match[0])
        .filter((code) => !declared.has(code) && !code.endsWith('_ROOM_WHAT'))
        .map((code) => `${file}: ${code}`),
    )
    assert.deepEqual([...new Set(unknown)], [])
  })
})
