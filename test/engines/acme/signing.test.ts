import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bindAccount, jwkOf, keyAuthorization, signRequest } from '../../../src/engines/acme/jws.ts'
import { certificateRequest } from '../../../src/engines/acme/request.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { SITE } from './open-acme.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

interface Jws {
  protected: string
  payload: string
  signature: string
}

const textOf = (part: string) => Buffer.from(part, 'base64url').toString()

describe('signed requests', () => {
  it('carry the key itself, or the account instead of it', () => {
    const place = { url: 'https://a/new', nonce: 'n1' }
    const first = JSON.parse(signRequest(privateKey, place, { a: 1 })) as Jws
    assert.deepEqual(JSON.parse(textOf(first.protected)), {
      alg: 'ES256',
      ...place,
      jwk: jwkOf(publicKey),
    })
    assert.equal(textOf(first.payload), '{"a":1}')
    const next = JSON.parse(signRequest(privateKey, { ...place, kid: 'https://a/1' }, {})) as Jws
    const header = JSON.parse(textOf(next.protected)) as object
    assert.deepEqual(header, { alg: 'ES256', ...place, kid: 'https://a/1' })
  })

  it('are signed as RFC 7518 has it: two numbers of 32 bytes', () => {
    for (let round = 0; round < 20; round++) {
      const jws = JSON.parse(
        signRequest(privateKey, { url: 'https://a/', nonce: `${round}` }, undefined),
      ) as Jws
      assert.equal(jws.payload, '', 'POST-as-GET')
      const signature = Buffer.from(jws.signature, 'base64url')
      assert.equal(signature.length, 64)
      const key = createPublicKey({ key: { ...jwkOf(privateKey) }, format: 'jwk' })
      const input = Buffer.from(`${jws.protected}.${jws.payload}`)
      assert.ok(verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature))
    }
  })

  it('bind an account with the key that the authority gave out', () => {
    const secret = Buffer.from('0123456789abcdef')
    const bound = bindAccount(jwkOf(publicKey), 'kid-1', secret, 'https://a/new') as Jws
    assert.deepEqual(JSON.parse(textOf(bound.protected)), {
      alg: 'HS256',
      kid: 'kid-1',
      url: 'https://a/new',
    })
    assert.deepEqual(JSON.parse(textOf(bound.payload)), jwkOf(privateKey))
    const mac = createHmac('sha256', secret).update(`${bound.protected}.${bound.payload}`)
    assert.equal(bound.signature, mac.digest('base64url'))
  })

  it('put the thumbprint of RFC 7638 behind the token', () => {
    // The key of RFC 7515 §A.3; its thumbprint by `openssl dgst -sha256` over its members in order.
    const jwk = {
      crv: 'P-256',
      kty: 'EC',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    }
    assert.equal(
      keyAuthorization('token', jwk),
      'token.oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U',
    )
  })
})

describe('a request for a certificate', { skip: missing('/usr/bin/openssl') }, () => {
  it('is what openssl takes, with all names and its own key', async (t) => {
    const hosts = ['gw.example', SITE, `${'a'.repeat(63)}.${'b'.repeat(63)}.gw.example`]
    const file = join(await tempFolder(t), 'request.der')
    await writeFile(file, certificateRequest(hosts, privateKey))
    const wanted = '-noout -verify -text -pubkey'.split(' ')
    const text = await output('/usr/bin/openssl', ['req', '-inform', 'DER', '-in', file, ...wanted])
    assert.match(text, /Version: 1 \(0x0\)/)
    assert.match(text, /Subject: *\n/)
    assert.ok(text.includes(hosts.map((host) => `DNS:${host}`).join(', ')), text)
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
    assert.ok(text.includes(pem.trim()), text)
  })
})
