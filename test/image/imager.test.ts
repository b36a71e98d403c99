import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { imagerManifest } from '../../image/imager.ts'
import { PI_BOARDS } from '../../image/pi-card.ts'

const REQUIRED = [
  'name',
  'description',
  'icon',
  'url',
  'extract_size',
  'extract_sha256',
  'image_download_size',
  'release_date',
  'devices',
]

describe('manifest for Raspberry Pi Imager (R03)', () => {
  const manifest = imagerManifest({
    version: '0.1.0',
    url: 'btlinkd-rpi_0.1.0.img.xz',
    extractSize: 1_091_588_096,
    extractSha256: 'a'.repeat(64),
    downloadSize: 200_000_000,
    downloadSha256: 'b'.repeat(64),
    epoch: 1_790_000_000,
  })
  const [image] = manifest.os_list

  it('has the fields that its schema requires', () => {
    assert.ok(image)
    for (const name of REQUIRED) assert.ok(name in image, name)
    assert.match(String(image['release_date']), /^\d{4}-\d\d-\d\d$/)
    assert.match(String(image['extract_sha256']), /^[0-9a-f]{64}$/)
    assert.equal(image['extract_size'], 1_091_588_096)
  })

  it('says that the image reads what Imager leaves on the card', () => {
    assert.equal(image?.['init_format'], 'rpi-preseed')
    assert.equal(image?.['architecture'], 'armv8')
  })

  it('offers the image for every board it is for, by tags that the list of boards has', () => {
    const tags = manifest.imager.devices.flatMap((device) => device.tags)
    assert.deepEqual([...new Set(tags)], image?.['devices'])
    assert.equal(manifest.imager.devices.length, 4)
    const said = manifest.imager.devices.map((device) => device.description).join(', ')
    for (const { name } of PI_BOARDS) assert.ok(said.split(', ').includes(name), name)
  })
})
