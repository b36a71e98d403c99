import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeText, MAX_BOOT_FILE_BYTES } from '../../../src/services/first-boot/boot-file.ts'
import { newBox } from './box.ts'

const utf16 = (text: string, isBig: boolean, mark: boolean): Uint8Array => {
  const bytes = Buffer.from(mark ? `\ufeff${text}` : text, 'utf16le')
  return Uint8Array.from(isBig ? bytes.swap16() : bytes)
}

describe('a file from the boot partition', () => {
  it('is read as every editor writes it', () => {
    const text = 'dns:\n  port: 53\nname: Küche 🍲\n'
    const forms = [
      Buffer.from(text),
      Buffer.from(`\ufeff${text}`),
      Buffer.from(text.replaceAll('\n', '\r\n')),
      Buffer.from(text.replaceAll('\n', '\r')),
      utf16(text, false, true),
      utf16(text, true, true),
      utf16(text, false, false),
      utf16(text, true, false),
      utf16(text.replaceAll('\n', '\r\n'), false, true),
    ]
    for (const bytes of forms) assert.deepEqual(decodeText(bytes), { text })
  })

  for (const [what, bytes, said] of [
    ['Latin-1', Buffer.from('a: 1\nb: K\xfcche\n', 'latin1'), /^line 2 is not text in UTF-8/],
    ['zeros after a power cut', new Uint8Array(512), /holds zeros/],
    [
      'a sector of zeros at its end',
      Buffer.concat([Buffer.from('dns:\n'), Buffer.alloc(512)]),
      /holds zeros/,
    ],
    ['half a character at its end', utf16('dns: {}\n', false, true).subarray(0, -1), /cut off/],
    ['half a pair', Uint8Array.from([0xff, 0xfe, 0x00, 0xd8]), /is not text/],
    ['a picture', Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), /is not text/],
  ] as const) {
    it(`with ${what} is not taken`, () => {
      const read = decodeText(bytes)
      assert.ok('fault' in read)
      assert.match(read.fault, said)
    })
  }

  it('of any bytes is text without zeros, or a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = decodeText(bytes)
        if ('text' in read) assert.doesNotMatch(read.text, /[\0\r]/)
        else assert.ok(read.fault.length > 0)
      }),
      { numRuns: 2000 },
    )
  })

  it('over the largest size is not taken', async (t) => {
    const box = await newBox(t, { trusting: true })
    await box.put('btlinkd.yaml', '#'.repeat(MAX_BOOT_FILE_BYTES + 1))
    assert.deepEqual((await box.start()).faults, ['btlinkd.yaml: is over 256 KiB'])
  })

  it('of any bytes, under any of the names, never stops the box', async (t) => {
    const box = await newBox(t, { trusting: true })
    const name = fc.constantFrom(
      'btlinkd.yaml',
      'rpi-preseed.toml',
      'authorized_keys',
      'btlinkd.yaml.txt',
    )
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: 'binary' }).map((one) => Buffer.from(one)),
      fc.json().map((one) => Buffer.from(one)),
      fc
        .constantFrom(
          '&a [*a]',
          'a: &x [1]\nb: [*x, *x]',
          '!!js/function x',
          '? {a: b}\n: 1',
          '--- 1\n--- 2',
          '[[wlan]]',
          'a = 1979-05-27',
        )
        .map((one) => Buffer.from(one)),
    )
    await fc.assert(
      fc.asyncProperty(name, content, async (file, bytes) => {
        await box.put(file, Uint8Array.from(bytes))
        const told = await box.start()
        assert.ok(Array.isArray(told.faults))
        assert.match(
          await box.read('/var/etc/btlinkd/btlinkd.yaml'),
          /state_dir: \/var\/lib\/btlinkd/,
        )
      }),
      { numRuns: 150 },
    )
  })
})
