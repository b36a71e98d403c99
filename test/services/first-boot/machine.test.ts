import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readPreseed, withoutPasswords } from '../../../src/services/first-boot/preseed.ts'
import { mergeKeys, readSshKeys } from '../../../src/services/first-boot/ssh-keys.ts'
import { iwdFile, keyOf, wpaFile } from '../../../src/services/first-boot/wifi.ts'
import { type Box, ED25519, newBox, OTHER_KEY } from './box.ts'

const KEYS = '/var/lib/ssh/authorized_keys'

/** As Raspberry Pi Imager 2 writes it. */
const PRESEED = `config_version = 1

[system]
hostname = "Kitchen"

[ssh]
enabled = true
password_authentication = false
authorized_keys = [
  "${ED25519}",
]

[wlan]
ssid = "Café \\"Nr. 7\\""
password = "correct horse"
password_encrypted = false
hidden = true
country = "de"

[locale]
keymap = "de"
timezone = "Europe/Berlin"
`

async function withIwd(box: Box): Promise<void> {
  await mkdir(box.at('/usr/lib/systemd/system'), { recursive: true })
  await writeFile(box.at('/usr/lib/systemd/system/iwd.service'), '')
  await mkdir(box.at('/usr/share/zoneinfo/Europe'), { recursive: true })
  await writeFile(box.at('/usr/share/zoneinfo/Europe/Berlin'), 'TZif')
}

describe('rpi-preseed.toml on the card (R02)', () => {
  it('is taken also where it has tables with names of Object', async (t) => {
    const box = await newBox(t)
    const odd = '[constructor]\na = 1\n[toString]\nb = 2\n[__proto__]\nc = 3\n'
    await box.put('rpi-preseed.toml', `${odd}[system]\nhostname = "Kitchen"\n`)
    const told = await box.start()
    assert.deepEqual(told.faults, [])
    assert.match(told.notes.join(), /not known here and left: .*constructor/)
    assert.deepEqual(box.hostnames, ['kitchen'])
  })

  it('gives the box its name, time zone, wireless network and keys', async (t) => {
    const box = await newBox(t)
    await withIwd(box)
    await box.put('rpi-preseed.toml', PRESEED)
    const told = await box.start()
    assert.deepEqual(told.faults, [])
    assert.deepEqual(told.notes, [
      'rpi-preseed.toml: locale.keymap is not needed: nobody types on this box',
    ])
    assert.deepEqual(box.hostnames, ['kitchen'])
    assert.equal(await box.read('/var/etc/btlinkd/hostname'), 'kitchen\n')
    assert.equal(
      await readlink(box.at('/var/etc/localtime')),
      box.at('/usr/share/zoneinfo/Europe/Berlin'),
    )
    assert.equal(await box.read(KEYS), `${ED25519}\n`)
    assert.equal(await box.mode(KEYS), 0o600)
    const [network = ''] = await readdir(box.at('/var/lib/iwd'))
    assert.equal(network, `=${Buffer.from('Café "Nr. 7"').toString('hex')}.psk`)
    assert.match(
      await box.read(`/var/lib/iwd/${network}`),
      /^\[Security\]\nPreSharedKey=[0-9a-f]{64}\n\[Settings\]\nHidden=true\n$/,
    )
    assert.equal(await box.mode(`/var/lib/iwd/${network}`), 0o600)
    // The password is on the box alone, and the box does nothing the second time.
    assert.doesNotMatch(await readFile(box.card('rpi-preseed.toml'), 'utf8'), /correct horse/)
    assert.doesNotMatch(
      await box.read('/var/etc/btlinkd/from-card/rpi-preseed.toml'),
      /correct horse/,
    )
    assert.deepEqual((await box.start()).taken, [])
    assert.deepEqual((await box.start()).faults, [])
  })

  it('keeps the name where the running system cannot be given it', async (t) => {
    const box = await newBox(t)
    box.hostnames.push = () => {
      throw Object.assign(new Error('read-only'), { code: 'EROFS' })
    }
    await box.put('rpi-preseed.toml', '[system]\nhostname = "attic"\n')
    const told = await box.start()
    assert.deepEqual([told.taken, told.faults], [['name attic'], []])
    assert.deepEqual(told.notes, ['the name is used after a restart'])
    assert.equal(await box.read('/var/etc/btlinkd/hostname'), 'attic\n')
  })

  it('says so where the image has no wireless program, and cleans the card all the same', async (t) => {
    const box = await newBox(t)
    await box.put('rpi-preseed.toml', '[wlan]\nssid = "home"\npassword = "correct horse"\n')
    assert.match(
      (await box.start()).faults.join(),
      /no program for wireless networks: connect a cable/,
    )
    assert.doesNotMatch(await readFile(box.card('rpi-preseed.toml'), 'utf8'), /correct horse/)
  })

  it('writes for wpa_supplicant where that is what the image has', async (t) => {
    const box = await newBox(t)
    await mkdir(box.at('/usr/sbin'), { recursive: true })
    await writeFile(box.at('/usr/sbin/wpa_supplicant'), '')
    await box.put('rpi-preseed.toml', '[wlan]\nssid = "home"\npassword = "correct horse"\n')
    assert.deepEqual((await box.start()).taken, ['wireless network "home"'])
    assert.match(
      await box.read('/var/etc/wpa_supplicant/wpa_supplicant-wlan0.conf'),
      /psk=[0-9a-f]{64}/,
    )
  })

  it('has no use for users and passwords, and says why (R05)', async (t) => {
    const box = await newBox(t)
    await box.put(
      'rpi-preseed.toml',
      '[user]\nname = "pi"\npassword = "raspberry"\n[ssh]\nenabled = true\npassword_authentication = true\n[system]\nhostname = "attic"\n',
    )
    const told = await box.start()
    assert.match(
      told.faults.join('\n'),
      /user was not taken: there are no users and no passwords on this box/,
    )
    assert.match(told.faults.join('\n'), /ssh\.password_authentication was not taken/)
    assert.match(told.faults.join('\n'), /ssh\.enabled needs authorized_keys/)
    assert.deepEqual(box.hostnames, ['attic'], 'the rest is taken')
    assert.doesNotMatch(await readFile(box.card('rpi-preseed.toml'), 'utf8'), /raspberry/)
    await assert.rejects(box.read(KEYS), { code: 'ENOENT' })
    assert.match(await readFile(box.card('btlinkd.errors.txt'), 'utf8'), /no passwords/)
  })

  it('is left whole where it is not TOML', async (t) => {
    const box = await newBox(t)
    const broken = '[wlan]\nssid = "home\npassword = "correct horse"\n'
    await box.put('rpi-preseed.toml', broken)
    assert.match((await box.start()).faults.join(), /^rpi-preseed\.toml:2: is not TOML/)
    assert.equal(await readFile(box.card('rpi-preseed.toml'), 'utf8'), broken)
  })

  it('with another network and no password is not taken for an open one after it was cleaned', async (t) => {
    const box = await newBox(t)
    await withIwd(box)
    await box.put('rpi-preseed.toml', '[wlan]\nssid = "home"\npassword = "correct horse"\n')
    await box.start()
    const cleaned = await readFile(box.card('rpi-preseed.toml'), 'utf8')
    await box.put('rpi-preseed.toml', cleaned.replace('home', 'house'))
    assert.match((await box.start()).faults.join(), /write it again beside the new ssid/)
    assert.deepEqual(await readdir(box.at('/var/lib/iwd')), ['home.psk'])
  })

  for (const [what, text, said] of [
    ['a name of several words', '[system]\nhostname = "my box"', /hostname is one word/],
    ['a name that is a path', '[system]\nhostname = "../../etc"', /hostname is one word/],
    ['a zone that is a path', '[locale]\ntimezone = "../../etc/shadow"', /timezone is a name/],
    ['a number for a network', '[wlan]\nssid = 7', /ssid is the name/],
    ['a name of 33 bytes', `[wlan]\nssid = "${'ä'.repeat(17)}"`, /ssid is the name/],
    ['a password of 7', '[wlan]\nssid = "a"\npassword = "1234567"', /8 to 63/],
    ['a password with a line end', '[wlan]\nssid = "a"\npassword = "12345678\\nx"', /8 to 63/],
    ['a country in words', '[wlan]\nssid = "a"\ncountry = "Germany"', /two letters/],
    ['keys that are text', '[ssh]\nauthorized_keys = "x"', /list of texts/],
    ['tables that are text', 'system = "x"\nwlan = 1', /^$/],
    ['ten thousand levels', `a = ${'['.repeat(10_000)}`, /is not TOML/],
    ['a key of ten thousand parts', `${'a.'.repeat(50_000)}b = 1`, /^$|is not TOML/],
    ['nothing', '', /^$/],
  ] as const) {
    it(`takes nothing of ${what}`, async () => {
      const { hostname, timezone, wifi, faults } = await readPreseed(text, 'f')
      assert.deepEqual([hostname, timezone, wifi], [undefined, undefined, undefined])
      assert.match(faults.join('\n'), said)
    })
  }

  it('leaves nothing of a password of several lines', async () => {
    const text = '[wlan]\nssid = "a"\npassword = """\nZq=10#0 a """\n'
    assert.doesNotMatch(await withoutPasswords(text), /Zq/)
  })

  it('never leaves a password that it can read', async () => {
    const quoted = fc.stringMatching(/^[a-zA-Z0-9 #=]{8,20}$/)
    const forms = [
      (p: string) => `[wlan]\nssid = "a"\npassword = "${p}"\n`,
      (p: string) => `[wlan]\nssid = "a"\n  "password"   =   '${p}'  # mine\n`,
      (p: string) => `wlan.ssid = "a"\nwlan.password = "${p}"\n`,
      (p: string) => `wlan = { ssid = "a", password = "${p}" }\n`,
      (p: string) => `[wlan]\nssid = "a"\npassword = """\n${p}"""\n`,
      (p: string) => `["wlan"]\nssid = "a"\n"pass\\u0077ord" = "${p}"\n`,
      (p: string) =>
        `[user]\nname = "a"\npassword = "${p}"\n[wlan]\nssid = "b"\npassword = "${p}"\n`,
    ]
    await fc.assert(
      fc.asyncProperty(quoted, fc.constantFrom(...forms), async (password, form) => {
        const marked = `Zq${password}`
        assert.ok(!(await withoutPasswords(form(marked))).includes(marked))
      }),
      { numRuns: 300 },
    )
  })
})

describe('wireless networks', () => {
  it('get the key that the standard gives as an example', () => {
    // IEEE 802.11-2020, J.4.2, test case 1.
    const wifi = { ssid: 'IEEE', password: 'password', hidden: false, country: '' }
    assert.equal(keyOf(wifi), 'f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e')
  })

  it('cannot write lines of their own, whatever their name is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 32 }),
        fc.stringMatching(/^[ -~]{8,63}$/),
        (ssid, password) => {
          const wifi = { ssid, password, hidden: false, country: 'DE' }
          assert.match(
            wpaFile(wifi),
            /^ctrl_interface=[^\n]+\ncountry=DE\nnetwork=\{\n {2}ssid=[0-9a-f]+\n {2}psk=[0-9a-f]{64}\n\}\n$/,
          )
          const { name, text } = iwdFile(wifi)
          assert.match(name, /^(=[0-9a-f]+|[A-Za-z0-9 _-]+)\.psk$/)
          assert.match(text, /^\[Security\]\nPreSharedKey=[0-9a-f]{64}\n$/)
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe('authorized_keys on the card (R05)', () => {
  it('opens ssh for these keys, with or without .txt and Windows line ends', async (t) => {
    for (const name of ['authorized_keys', 'authorized_keys.txt', 'AUTHORIZED_KEYS']) {
      const box = await newBox(t)
      await box.put(name, `\ufeff# mine\r\n${ED25519}\r\n\r\n${OTHER_KEY}\r\n`)
      assert.deepEqual((await box.start()).taken, ['ssh is on for 2 keys'])
      assert.equal(await box.read(KEYS), `${ED25519}\n${OTHER_KEY}\n`)
      assert.deepEqual((await box.start()).taken, [])
    }
  })

  it('is off without one', async (t) => {
    const box = await newBox(t)
    await box.put('ssh', '')
    assert.match((await box.start()).notes.join(), /^ssh: ssh needs a key in authorized_keys/)
    await assert.rejects(box.read(KEYS), { code: 'ENOENT' })
  })

  it('takes back what goes from the card, and leaves what was added on the box', async (t) => {
    const box = await newBox(t)
    await box.put('authorized_keys', ED25519)
    await box.start()
    await writeFile(box.at(KEYS), `${ED25519}\n${OTHER_KEY}\n`)
    await box.put('authorized_keys', '# nobody\n')
    await box.start()
    assert.equal(await box.read(KEYS), `${OTHER_KEY}\n`)
    await box.take('authorized_keys')
    await box.start()
    assert.equal(await box.read(KEYS), `${OTHER_KEY}\n`, 'a file that is gone changes nothing')
  })

  for (const [what, line, said] of [
    [
      'a private key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ',
      /:1: is a private key/,
    ],
    ['options', `command="rm -rf /" ${ED25519}`, /options are not taken/],
    ['a key that was cut off', ED25519.slice(0, 40), /is a damaged ssh-ed25519 key/],
    ['another type inside', ED25519.replace('ssh-ed25519', 'ssh-rsa'), /damaged ssh-rsa/],
    ['a line of 10 KB', `ssh-ed25519 ${'A'.repeat(10_000)}`, /is too long/],
    ['letters of another kind', 'ssh-ed25519 ключ', /damaged/],
  ] as const) {
    it(`does not take ${what}`, () => {
      const { keys, faults } = readSshKeys(line.split('\n'), 'authorized_keys')
      assert.deepEqual(keys, [])
      assert.equal(faults.length, 1)
      assert.match(faults[0] ?? '', said)
    })
  }

  it('takes at most 64', () => {
    const many = Array.from({ length: 80 }, (_, index) => {
      const blob = Buffer.alloc(51, index)
      blob.writeUInt32BE(32, 15)
      Buffer.from('\0\0\0\vssh-ed25519', 'latin1').copy(blob)
      return `ssh-ed25519 ${blob.toString('base64')}`
    })
    const { keys, faults } = readSshKeys(many, 'k')
    assert.equal(keys.length, 64)
    assert.deepEqual(faults, ['k:65: over 64 keys'])
  })

  it('writes one line a key, whatever stands behind it', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'binary' }),
            fc.constant(ED25519),
            fc.string().map((one) => `${ED25519} ${one}`),
          ),
        ),
        (lines) => {
          for (const key of readSshKeys(lines, 'k').keys)
            assert.match(key, /^ssh-ed25519 [A-Za-z0-9+/=]+( [\x20-\x7e]*)?$/)
        },
      ),
    )
  })

  it('keeps no key that was on the card and went, and loses none of the box', () => {
    const some = fc.uniqueArray(fc.constantFrom('a 1', 'b 2', 'c 3', 'd 4', 'e 5'))
    fc.assert(
      fc.property(some, some, some, (box, before, now) => {
        const merged = mergeKeys(box, before, now)
        for (const key of now) assert.ok(merged.includes(key))
        for (const key of box)
          assert.equal(merged.includes(key), now.includes(key) || !before.includes(key))
        assert.equal(new Set(merged).size, merged.length)
      }),
    )
  })
})

describe('files of other first-boot mechanisms', () => {
  it('are told and neither run nor read', async (t) => {
    const box = await newBox(t)
    for (const name of ['firstrun.sh', 'user-data', 'userconf.txt', 'wpa_supplicant.conf'])
      await box.put(name, 'rm -rf /')
    await box.put(
      'cmdline.txt',
      'console=serial0 systemd.run=/boot/firstrun.sh systemd.unit=kernel-command-line.target',
    )
    const told = await box.start()
    assert.deepEqual(told.faults, [])
    assert.equal(told.notes.length, 4)
    assert.match(told.notes.join('\n'), /^firstrun\.sh: scripts are not run here/m)
  })
})

describe('a card that points elsewhere', () => {
  it('is not followed', async (t) => {
    const box = await newBox(t)
    await writeFile(box.at('secret'), ED25519)
    await symlink(box.at('secret'), box.card('authorized_keys'))
    await mkdir(box.card('btlinkd.yaml'))
    const told = await box.start()
    assert.match(told.faults.join('\n'), /^authorized_keys: is a link/m)
    assert.match(told.faults.join('\n'), /^btlinkd\.yaml: is not a file/m)
    await assert.rejects(box.read(KEYS), { code: 'ENOENT' })
  })
})
