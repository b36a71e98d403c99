/** What dpkg reads of the package: control, conffiles, checksums, scripts, copyright, changelog. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Arch, type Module, nameOf } from './modules.ts'
import type { UnitPlan } from './units.ts'

const MAINTAINER = 'btlinkd maintainers <maintainers@btlinkd.invalid>'
const SUMMARY = 'household door to the peer-to-peer web'

export function controlFile(version: string, arch: Arch, installedBytes: number): string {
  return `Package: btlinkd
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${Math.ceil(installedBytes / 1024)}
Depends: libc6 (>= 2.34), libgcc-s1 (>= 3.0), libstdc++6 (>= 12), systemd (>= 252)
Recommends: ca-certificates
Suggests: avahi-daemon, ffmpeg, nftables, unbound
Section: net
Priority: optional
Description: ${SUMMARY}
 Names come from the BitTorrent DHT, content comes from the swarm, and every
 browser in the house opens it as an ordinary website. The box is the house's
 resolver, proxy and certificate authority for these names, seeds what the
 house has published and visited, and goes on while the internet is away.
 .
 Comes with the Node.js it runs on.
`
}

/** A script of `files/` with the names of the units in it. */
export function maintainerScript(file: string, plan: UnitPlan): string {
  return readFileSync(new URL(`./files/${file}.sh`, import.meta.url), 'utf8')
    .replaceAll('@ENABLED@', plan.enabled.join(' '))
    .replaceAll('@STARTED@', plan.started.join(' '))
    .replaceAll('@RESTARTED@', plan.restarted.join(' '))
}

/** md5sums(5) of every file that is no conffile. */
export function md5sums(root: string, files: readonly string[]): string {
  return files
    .filter((path) => !path.startsWith('etc/'))
    .map((path) => {
      const sum = createHash('md5')
        .update(readFileSync(join(root, path)))
        .digest('hex')
      return `${sum}  ${path}\n`
    })
    .join('')
}

/** RFC 5322, as changelogs have it. */
const mailDate = (epochSeconds: number): string =>
  new Date(epochSeconds * 1000).toUTCString().replace('GMT', '+0000')

export function changelog(version: string, epochSeconds: number): string {
  return `btlinkd (${version}) stable; urgency=medium

  * What is new is told in NEWS.md.

 -- ${MAINTAINER}  ${mailDate(epochSeconds)}
`
}

const indented = (text: string): string =>
  text
    .trim()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n')

/** https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
export function copyright(license: string, modules: readonly Module[]): string {
  const holder =
    /^Copyright.*$/m.exec(license)?.[0].replace(/^Copyright (\(c\) )?/, '') ?? 'the authors'
  const bundled = modules.map(({ place, locked }) => {
    const id = (locked.license ?? 'unknown').replace(/[()]/g, '').replaceAll(' OR ', ' or ')
    return `Files: usr/lib/btlinkd/${place}/*
Copyright: the authors of ${nameOf(place)} ${locked.version}
License: ${id}`
  })
  const others = [...new Set(bundled.map((part) => part.slice(part.indexOf('License: ') + 9)))]
    .filter((id) => id !== 'MIT')
    .sort()
    .map(
      (id) =>
        `License: ${id}\n The text is in the folder of each package, and below\n /usr/share/common-licenses where Debian has it.`,
    )
  return `${[
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: btlinkd\nSource: the repository of btlinkd',
    `Files: *\nCopyright: ${holder}\nLicense: MIT`,
    ...bundled,
    `License: MIT\n${indented(license.replace(/^.*?(?=Permission is hereby)/s, ''))}`,
    ...others,
  ].join('\n\n')}\n`
}
