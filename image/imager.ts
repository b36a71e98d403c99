/**
 * The manifest that Raspberry Pi Imager 2 opens by a double click, with our image in its list.
 * @see https://github.com/raspberrypi/rpi-imager/blob/main/doc/json-schema/os-list-schema.json
 */

export interface ImagerInput {
  version: string
  /** Where the compressed image is published: Imager wants a whole address. */
  url: string
  /** Bytes of the image as it is written, and their SHA-256 in hex. */
  extractSize: number
  extractSha256: string
  downloadSize: number
  downloadSha256: string
  /** Seconds since 1970. */
  epoch: number
}

export interface ImagerManifest {
  imager: { devices: { name: string; tags: string[]; description: string; icon: string }[] }
  os_list: Record<string, string | number | string[]>[]
}

// The boards whose device trees are on the card: `PI_BOARDS`.
const DEVICES = [
  { name: 'Raspberry Pi 5', tags: ['pi5-64bit'], description: 'Pi 5' },
  { name: 'Raspberry Pi 4', tags: ['pi4-64bit'], description: 'Pi 4 B, Pi 400' },
  { name: 'Raspberry Pi 3', tags: ['pi3-64bit'], description: 'Pi 3 A+, Pi 3 B, Pi 3 B+' },
  { name: 'Raspberry Pi Zero 2 W', tags: ['pi3-64bit'], description: 'Pi Zero 2 W' },
]
const ICON =
  'data:image/svg+xml;base64,' +
  Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="18" fill="#125"/><path d="M12 20h16M20 12v16" stroke="#fff" stroke-width="4"/></svg>',
  ).toString('base64')

export function imagerManifest(input: ImagerInput): ImagerManifest {
  return {
    imager: { devices: DEVICES.map((device) => ({ ...device, icon: ICON })) },
    os_list: [
      {
        name: `btlinkd ${input.version}`,
        description: "A household's door to the peer-to-peer web",
        icon: ICON,
        url: input.url,
        extract_size: input.extractSize,
        extract_sha256: input.extractSha256,
        image_download_size: input.downloadSize,
        image_download_sha256: input.downloadSha256,
        release_date: new Date(input.epoch * 1000).toISOString().slice(0, 10),
        devices: [...new Set(DEVICES.flatMap(({ tags }) => tags))],
        // Its rpi-preseed.toml is read at the first boot: docs/first-boot.md.
        init_format: 'rpi-preseed',
        architecture: 'armv8',
      },
    ],
  }
}
