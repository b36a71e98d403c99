/**
 * ffmpeg laid over the image's own /usr by the image's own systemd-sysext: `npm run proof:extension`, after
 * `npm run image -- pc`.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { arch, env, execPath } from 'node:process'
import { before, describe, it } from 'node:test'
import { bootRoot } from '../support/debian-root.ts'
import { missing, output } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { type Cleanup, finallyDo, tempFolder } from '../support/temp.ts'

const UNSHARE = '/usr/bin/unshare'
const folder = resolve(env['BTL_IMAGE'] ?? join(ROOT, 'image/out/none'))

const withoutExtension = (): string | false =>
  (env['BTL_IMAGE'] === undefined &&
    'BTL_IMAGE names no folder with an image: npm run proof:extension') ||
  (process.getuid?.() !== 0 && 'needs root') ||
  missing(UNSHARE, '/usr/bin/minisign')

// $1 root slot, $2 extension, $3 folder of this run, $4 what is done to the root before, $5 what is run in it.
// What systemd-sysext mounts reaches us only where the root's mounts are shared.
const MACHINE = `set -eu
cd "$3"
mkdir low mem
mount -o loop,ro -t erofs "$1" low
mount -t tmpfs tmpfs mem
mkdir mem/upper mem/work mem/root
mount -t overlay overlay -o lowerdir=low,upperdir=mem/upper,workdir=mem/work mem/root
mount --make-shared mem/root
cd mem/root
for one in proc sys dev; do mount --rbind "/$one" "$one"; done
for one in run var tmp; do mount -t tmpfs tmpfs "$one"; done
mkdir -p var/lib/extensions var/tmp
cp "$2" var/lib/extensions/
sh -euc "$4"
exec chroot . sh -euc "$5"
`

/** The root slot of the image, and the extension. */
async function builtFiles(): Promise<[slot: string, raw: string]> {
  const names = await readdir(folder)
  const slot = names.find((name) => /^btlinkd_.*\.root\.[0-9a-f]+\.raw$/.test(name)) ?? ''
  const raw = names.find((name) => /^btlinkd-ffmpeg-.*\.raw$/.test(name)) ?? ''
  return [join(folder, slot), join(folder, raw)]
}

/** Runs a script in the image's root, of which nothing stays, with the extension where it belongs. */
async function inImage(t: Cleanup, script: string, { prepare = ':' } = {}): Promise<string> {
  const files = [...(await builtFiles()), await tempFolder(t, 'btl-extension')]
  const alone = ['--mount', '--propagation', 'private', '/bin/sh', '-c', MACHINE, 'machine']
  return output(UNSHARE, [...alone, ...files, prepare, script])
}

const MERGE = 'systemd-sysext refresh 2>&1; systemd-sysext status'
const DOCTOR =
  'mkdir /tmp/state; btlinkd doctor --only extensions --state /tmp/state --config /usr/share/btlinkd/btlinkd.yaml'

// What qemu-user runs cannot make namespaces, as systemd-sysext does.
const BY_HAND = `mkdir ../ext
mount -o loop,ro var/lib/extensions/*.raw ../ext
mount -t overlay overlay -o lowerdir=../ext/usr:usr usr`

const ofOthers = async () => {
  const isArm = (await readdir(folder)).some((name) => /-(arm64|rpi)_/.test(name))
  return isArm === (arch === 'arm64') ? false : 'the image is of another architecture'
}

describe('the extension with ffmpeg', { skip: withoutExtension() }, () => {
  before(async () => {
    const names = existsSync(folder) ? await readdir(folder) : []
    if (names.some((name) => /^btlinkd-ffmpeg-.*\.raw$/.test(name))) return
    const flavour = names.map((name) => /^btlinkd-(\w+)_.*\.img$/.exec(name)?.[1]).find(Boolean)
    const args = [join(ROOT, 'image/extension.ts'), flavour ?? 'pc', '--in', folder]
    await output(execPath, args, { timeoutMs: 500_000 })
  })

  it('is merged by the image, transcodes sound and pictures, and goes without a trace', async (t) => {
    const why = await ofOthers()
    if (why !== false) return t.skip(why)
    const script = `${MERGE}
${DOCTOR}
ffmpeg -hide_banner -version | head -n 1
cd /tmp
ffmpeg -v error -f lavfi -i testsrc=d=2:s=320x240 -f lavfi -i sine=d=2 -c:v libx264 -c:a aac one.mp4
ffmpeg -v error -i one.mp4 -c:v libvpx-vp9 -c:a libopus -deadline realtime two.webm
ffprobe -v error -show_entries stream=codec_name -of csv=p=0 two.webm
systemd-sysext unmerge
test -e /usr/bin/ffmpeg || echo gone`
    const told = await inImage(t, script)
    assert.match(told, /^\/usr +btlinkd-ffmpeg-/m)
    assert.match(told, /^ok +extensions +btlinkd-ffmpeg-/m)
    assert.match(told, /^ffmpeg version \d/m)
    assert.match(told, /^vp9\nopus$/m)
    assert.match(told, /^gone$/m)
  })

  it('is there after a start, by the unit that the image has enabled', async (t) => {
    const why = (await ofOthers()) || missing('/usr/bin/systemd-nspawn')
    if (why !== false) return t.skip(why)
    const [slot, raw] = await builtFiles()
    const own = await tempFolder(t, 'btl-extension')
    const [low, upper, work, root] = ['low', 'upper', 'work', 'root'].map((one) => join(own, one))
    for (const one of [low, upper, work, root]) await mkdir(one ?? '')
    const mount = async (to = '', ...args: string[]) => {
      await output('/usr/bin/mount', [...args, to])
      finallyDo(t, () => output('/usr/bin/umount', ['-R', '-l', to]).then(() => undefined))
    }
    await mount(low, '-o', 'loop,ro', '-t', 'erofs', slot)
    const layers = `lowerdir=${low},upperdir=${upper},workdir=${work}`
    await mount(root, '-t', 'overlay', 'overlay', '-o', layers)
    const inside = (path: string) => join(root ?? '', path)
    const wish = inside('etc/systemd/system/sysinit.target.wants/systemd-sysext.service')
    assert.match(await readlink(wish), /systemd-sysext\.service$/)
    await mkdir(inside('var/lib/extensions'), { recursive: true })
    await cp(raw, inside('var/lib/extensions/btlinkd-ffmpeg.raw'))
    await writeFile(inside('etc/fstab'), '')
    // No disk and no network is here that the rest of the image could start with.
    const target = '[Unit]\nDefaultDependencies=no\nRequires=systemd-sysext.service\n'
    await writeFile(inside('etc/systemd/system/default.target'), target)
    const loops = (await readdir('/dev')).filter((name) => /^loop(-control|\d+)$/.test(name))
    const box = await bootRoot(
      t,
      root ?? '',
      loops.map((name) => `--bind=/dev/${name}`),
    )
    assert.match(await box.sh('systemd-sysext status'), /^\/usr +btlinkd-ffmpeg /m)
    assert.match(await box.sh('ffmpeg -hide_banner -version'), /^ffmpeg version/)
  })

  it('finds every library it may ask for, in itself or in the base, and runs', async (t) => {
    const isForeign = (await ofOthers()) !== false
    const told = await inImage(
      t,
      `${isForeign ? ':' : MERGE}
for one in ffmpeg ffprobe; do LD_TRACE_LOADED_OBJECTS=1 "$one"; "$one" -hide_banner -version; done
ffmpeg -v error -f lavfi -i testsrc=d=1:s=64x64 -f lavfi -i sine=d=1 -c:v libx264 -c:a aac /tmp/one.mp4
ffprobe -v error -show_entries stream=codec_name -of csv=p=0 /tmp/one.mp4`,
      isForeign ? { prepare: BY_HAND } : {},
    )
    assert.doesNotMatch(told, /not found/)
    assert.match(told, /libavcodec\.so\.\d+ => \/usr\/lib|libavcodec\.so\.\d+ => \/lib/)
    assert.match(told, /^h264\naac$/m)
  })

  it('stays through versions of the base with the same level, and goes with another', async (t) => {
    const why = await ofOthers()
    if (why !== false) return t.skip(why)
    const release = (fields: string) =>
      `sed -i '/^SYSEXT_LEVEL=/d;/^VERSION_ID=/d' usr/lib/os-release; printf '${fields}' >> usr/lib/os-release; sed -i 's/^IMAGE_VERSION=.*/IMAGE_VERSION=9.9.9/' usr/lib/os-release`
    const same = release('VERSION_ID=13\\nSYSEXT_LEVEL=1\\n')
    assert.match(await inImage(t, MERGE, { prepare: same }), /^\/usr +btlinkd-ffmpeg-/m)
    const raised = release('VERSION_ID=13\\nSYSEXT_LEVEL=2\\n')
    const none = await inImage(t, `${MERGE}\n${DOCTOR}`, { prepare: raised })
    assert.match(none, /^\/usr +none/m)
    assert.match(none, /^WARNING +extensions +btlinkd-ffmpeg-.* is not in force/m)
  })
})
