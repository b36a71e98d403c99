import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createSpots, splitAuthority } from '../../../src/edges/setup/spots.ts'

const spots = createSpots({ tld: 'btlink', gatewayDomains: ['gw.example'] })
const PATHS = [
  '/',
  '/.btlink/setup',
  '/.btlink/check',
  '/.btlink/my',
  '/.btlink/qr.svg',
  '/works.svg',
]
/** Pieces that hosts of ours are made of, and those that could break out of a page. */
const pieces = fc.constantFrom(
  ...`setup check my btlink localhost gw.example 127.0.0.1 [::1] [ ] . .. : :80 :99999 @ / " < > ' % \\ \0 K İ ß`.split(
    ' ',
  ),
  ' ',
)
const authorities = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.array(pieces, { maxLength: 8 }).map((list) => list.join('')),
)

describe('hosts of the pages', () => {
  it('never throw, and only letters that are safe in a page come out', () => {
    fc.assert(
      fc.property(authorities, fc.constantFrom(...PATHS), (authority, path) => {
        const spot = spots(authority, path)
        if (spot === undefined) return
        assert.match(spot.host, /^(\[[0-9a-f:.]+\]|[0-9a-z_.-]+)$/)
        assert.match(spot.port, /^(:\d{1,5})?$/)
        assert.match(spot.root, /^btlink(\.localhost|\.gw\.example)?$/)
      }),
      { numRuns: 5000 },
    )
  })

  it('are pages at "/" only below the top-level domain and its two kinds of suffix', () => {
    fc.assert(
      fc.property(authorities, (authority) => {
        const spot = spots(authority, '/')
        if (spot === undefined) return
        assert.match(spot.host, /^(setup|check|my)\.btlink(\.localhost|\.gw\.example)?$/)
      }),
      { numRuns: 5000 },
    )
  })

  it('are read in a moment however long they are', () => {
    for (const piece of ['a', '.', 'setup.', 'btlink.', '[', ':', '1']) {
      const authority = piece.repeat(16_384 / piece.length)
      const before = process.cpuUsage().user
      for (let i = 0; i < 20; i++) splitAuthority(authority)
      // Microseconds; what grows with the square of the length takes seconds.
      assert.ok(process.cpuUsage().user - before < 500_000, piece)
    }
  })
})
