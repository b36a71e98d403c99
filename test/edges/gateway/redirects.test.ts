import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codeOf } from '../../../src/base/errors.ts'
import { matchRedirect, mergeQuery, parseRedirects } from '../../../src/edges/gateway/redirects.ts'

describe('a _redirects file', () => {
  const bad: [string, string][] = [
    ['no destination', '/a'],
    ['four fields', '/a /b 301 x'],
    ['a source without slash', 'a /b'],
    ['a destination that is neither path nor address', '/a b'],
    ['another scheme', '/a javascript:alert(1)'],
    ['an unknown status', '/a /b 200x'],
    ['a status that is not allowed', '/a /b 304'],
    ['a forced rule', '/a /b 301!'],
    ['a splat in the middle', '/a/*/b /c'],
    ['a splat that is part of a name', '/a* /c'],
    ['content of another host', '/a https://x.example/ 200'],
    ['one placeholder twice', '/:a/:a /c'],
  ]
  for (const [what, text] of bad) {
    it(`is refused for ${what}, with the line`, () => {
      assert.throws(() => parseRedirects(`# first\n${text}\n`), {
        code: 'BTL_ERR_GATEWAY_BAD_REDIRECTS',
        message: /line 2:/,
      })
    })
  }

  it('takes lines of any ending, comments and empty lines', () => {
    const rules = parseRedirects('# c\r\n\r\n  /a   /b\t302 \r\n#x\n/c /d')
    assert.deepEqual(
      rules.map(({ to, status }) => [to, status]),
      [
        ['/b', 302],
        ['/d', 301],
      ],
    )
  })

  it('matches placeholders and splat of the path as it was sent', () => {
    const rules = parseRedirects('/a/:x/c/* /t/:x/:splat?q=:x\n/* /all 404')
    const match = (path: string) => matchRedirect(rules, path)
    assert.deepEqual(match('/a/b%20d/c/e/f'), { to: '/t/b%20d/e/f?q=b%20d', status: 301 })
    assert.deepEqual(match('/a/b/c'), { to: '/t/b/?q=b', status: 301 })
    assert.deepEqual(match('/a/b'), { to: '/all', status: 404 })
    assert.deepEqual(match('/'), { to: '/all', status: 404 })
  })

  it('matches names that are escaped in one place and not in the other', () => {
    const rules = parseRedirects('/ü /one\n/a%20b /two')
    assert.equal(matchRedirect(rules, '/%C3%BC')?.to, '/one')
    assert.equal(matchRedirect(rules, '/a%20b')?.to, '/two')
  })

  it('keeps the query of the request beside its own', () => {
    assert.equal(mergeQuery('/a', undefined), '/a')
    assert.equal(mergeQuery('/a', 'x=1'), '/a?x=1')
    assert.equal(mergeQuery('/a?y=2#f', 'x=1&y=3'), '/a?y=2&x=1#f')
  })

  it('never fails in another way, and never takes long', () => {
    const line = fc.stringMatching(/^[/:*a-c 0-9!#?.\t]{0,40}$/)
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), line, (lines, path) => {
        try {
          matchRedirect(parseRedirects(lines.join('\n')), `/${path}`)
        } catch (error) {
          assert.equal(codeOf(error), 'BTL_ERR_GATEWAY_BAD_REDIRECTS')
        }
      }),
      { numRuns: 500 },
    )
  })
})
