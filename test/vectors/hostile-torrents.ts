/**
 * Torrents made to harm whoever opens them, each named for what is wrong with it. `refused` ones
 * must never reach an engine; `neutralised` ones are read, with the harm gone.
 */
import { type Encodable, encode } from '../../src/base/bencode.ts'
import { concatBytes, fromHex, utf8 } from '../../src/base/bytes.ts'

export interface HostileTorrent {
  name: string
  /** Whether `bytes` is a raw info dict or a whole torrent file. */
  kind: 'info' | 'torrent'
  /** Made when asked: some are megabytes. */
  bytes: () => Uint8Array
  expected: 'refused' | 'neutralised'
  /** What a refusal must say. */
  reason?: RegExp
}

type Dict = { [key: string]: Encodable | undefined }

const KIB = 1024
const PIECE = 16 * KIB
const hashes = (pieces: number): Uint8Array => new Uint8Array(20 * pieces).fill(0xab)
const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const single = (changes: Dict = {}): Dict => ({
  length: 100,
  name: 'file.bin',
  'piece length': PIECE,
  pieces: hashes(1),
  ...changes,
})

const multi = (files: Encodable, changes: Dict = {}): Dict => ({
  files,
  name: 'folder',
  'piece length': PIECE,
  pieces: hashes(1),
  ...changes,
})

const file = (...path: Encodable[]): Dict => ({ length: 10, path })

const infos: HostileTorrent[] = []
const torrents: HostileTorrent[] = []

function refusedBytes(name: string, reason: RegExp, bytes: () => Uint8Array): void {
  infos.push({ name, kind: 'info', bytes, expected: 'refused', reason })
}

const refused = (name: string, reason: RegExp, info: Dict): void =>
  refusedBytes(name, reason, () => encode(info))

const neutralised = (name: string, info: () => Dict): void => {
  infos.push({ name, kind: 'info', bytes: () => encode(info()), expected: 'neutralised' })
}

/** The same info with its bencode spelled by hand. */
const raw = (name: string, reason: RegExp, text: string): void =>
  refusedBytes(name, reason, () => ascii(text))

const PIECES = `6:pieces20:${'a'.repeat(20)}`
const REST = `4:name1:x12:piece lengthi16384e${PIECES}`

// Names that lead elsewhere, or nowhere.
for (const [what, name] of [
  ['..', '..'],
  ['.', '.'],
  ['empty', ''],
  ['a parent path', '../../precious'],
  ['a hidden parent path', 'a/../../b'],
  ['an absolute path', '/etc/passwd'],
  ['only a slash', '/'],
  ['a slash at the end', 'folder/'],
  ['a NUL byte', 'a\0b'],
  ['a line break', 'a\r\nb'],
  ['an escape character', 'a\x1b[2Jb'],
  ['a bell', 'a\x07'],
  ['a delete character', 'a\x7f'],
  ['a next-line character', 'a\u0085b'],
] as const) {
  const reason = /is empty|is "\.{1,2}"|has a (?:slash|NUL byte|control character) inside/
  refused(`name is ${what}`, reason, single({ name }))
  refused(`name of a folder is ${what}`, reason, multi([file('a')], { name }))
  refused(`path has a part that is ${what}`, reason, multi([file('a'), file('b', name, 'c')]))
  refused(`path ends in a part that is ${what}`, reason, multi([file('a', name)]))
  refused(`path.utf-8 has a part that is ${what}`, reason, {
    ...multi([{ length: 10, path: ['a'], 'path.utf-8': [name] }]),
  })
}
refused('name.utf-8 is a parent path', /slash/, single({ 'name.utf-8': '../x' }))
refused('path is harmless in path.utf-8 only', /is "\.\."/, {
  ...multi([{ length: 10, path: ['..', 'a'], 'path.utf-8': ['a'] }]),
})
refused(
  'name is longer than 1024 bytes',
  /longer than 1024 bytes/,
  single({ name: 'n'.repeat(1025) }),
)
refused('name takes megabytes', /longer than 1024 bytes/, single({ name: 'n'.repeat(5_000_000) }))
refused('path has a name of 100 KB', /longer than 1024 bytes/, multi([file('n'.repeat(100_000))]))
refused('path is longer than 4 KiB', /too long/, multi([file(...Array(5).fill('n'.repeat(1000)))]))
refused('path is 65 deep', /too deep/, multi([file(...Array(65).fill('a'))]))
refused('path is 100,000 deep', /too deep/, multi([file(...Array(100_000).fill('a'))]))
refused('path is empty', /has no path/, multi([file()]))
refused('path is missing', /has no path/, multi([{ length: 10 }]))
refused('path is a string', /no list/, multi([{ length: 10, path: 'a/b' }]))
refused('path is a dictionary', /no list/, multi([{ length: 10, path: { a: 'b' } }]))
refused('path has an integer', /no byte string/, multi([file('a', 1)]))
refused('path has a list', /no byte string/, multi([file('a', ['b'])]))
refused('path.utf-8 is a string', /no list/, {
  ...multi([{ length: 10, path: ['a'], 'path.utf-8': 'b' }]),
})
refused('name is missing', /"name" is missing/, single({ name: undefined }))
refused('name is an integer', /no byte string/, single({ name: 5 }))
refused('name is a list', /no byte string/, single({ name: ['a'] }))

// Files in each other's way.
refused('two files have one path', /two files are named/, multi([file('a', 'b'), file('a', 'b')]))
refused('two files have one path far apart', /two files are named/, {
  ...multi([file('a'), ...Array.from({ length: 500 }, (_, i) => file('d', `${i}`)), file('a')]),
})
refused('a file is where a folder must be', /both a file and a folder/, {
  ...multi([file('a'), file('a', 'b')]),
})
refused('a folder is where a file must be', /both a file and a folder/, {
  ...multi([file('a', 'b', 'c'), file('a', 'b')]),
})
refused('two files have one path after broken UTF-8 is mended', /two files are named/, {
  ...multi([file(fromHex('61ff')), file(fromHex('61fe'))]),
})
refused('two files have one path in path.utf-8', /two files are named/, {
  ...multi([
    { length: 10, path: ['a'], 'path.utf-8': ['x'] },
    { length: 10, path: ['b'], 'path.utf-8': ['x'] },
  ]),
})

// Sizes that do not fit.
refused('length is negative', /is negative/, single({ length: -1 }))
refused('length is missing', /neither "length" nor "files"/, single({ length: undefined }))
refused('length is a string', /no integer/, single({ length: '100' }))
refused('length is 2^63 - 1', /out of range/, single({ length: 2n ** 63n - 1n }))
refused('length is 2^53', /out of range/, single({ length: 2n ** 53n }))
refused('length is 2^53 - 1 with one piece', /1 piece hashes for/, {
  ...single({ length: Number.MAX_SAFE_INTEGER }),
})
refused('length is zero', /not a byte/, single({ length: 0, pieces: new Uint8Array(0) }))
refused('length and files are both there', /both "length" and "files"/, {
  ...multi([file('a')], { length: 10 }),
})
refused('a file has a negative length', /is negative/, multi([{ length: -5, path: ['a'] }]))
refused('a negative length is made up for by the next', /is negative/, {
  ...multi([
    { length: -90, path: ['a'] },
    { length: 100, path: ['b'] },
  ]),
})
refused('a file has no length', /has no length/, multi([{ path: ['a'] }]))
refused('a file has a length in a string', /no integer/, multi([{ length: '1', path: ['a'] }]))
refused('lengths add up beyond 2^53', /add up to too much/, {
  ...multi([
    { length: Number.MAX_SAFE_INTEGER, path: ['a'] },
    { length: Number.MAX_SAFE_INTEGER, path: ['b'] },
  ]),
})
refused('all files are empty', /not a byte/, {
  ...multi([{ length: 0, path: ['a'] }], { pieces: new Uint8Array(0) }),
})
refused('files is empty', /"files" is empty/, multi([]))
refused('files is a dictionary', /no list/, multi({}))
refused('files is a string', /no list/, multi('a'))
refused('files holds an integer', /no dictionary/, multi([1]))
refused('files holds a list', /no dictionary/, multi([[]]))
refusedBytes('there are 100,001 files', /more than 100000 files/, () =>
  encode(
    multi(
      Array.from({ length: 100_001 }, (_, i) => ({ length: 1, path: [`${i}`] })),
      {
        pieces: hashes(7),
      },
    ),
  ),
)
refusedBytes('there are 300,000 files', /more than 10485760 bytes|more than 100000 files/, () =>
  encode(multi(Array.from({ length: 300_000 }, (_, i) => ({ length: 1, path: [`${i}`] })))),
)
refusedBytes('there are more than 100,000 folders', /more than 100000 folders/, () =>
  encode(
    multi(
      Array.from({ length: 2000 }, (_, i) => file(`${i}`, ...Array<string>(60).fill('d'), 'f')),
    ),
  ),
)
refusedBytes('info has more than 10 MiB', /more than 10485760 bytes/, () =>
  encode(single({ zeroes: new Uint8Array(10 * KIB * KIB) })),
)

// Pieces that do not fit.
for (const [what, length] of [
  ['negative', -1],
  ['zero', 0],
  ['one', 1],
  ['one block less a byte', PIECE - 1],
  ['8 KiB', 8 * KIB],
  ['no multiple of 1024', PIECE + 1],
  ['64 MiB and a KiB', 64 * KIB * KIB + KIB],
  ['2^31', 2 ** 31],
  ['2^40', 2 ** 40],
  ['2^53 - 1', Number.MAX_SAFE_INTEGER],
] as const) {
  const reason = /is negative|is not within 16 KiB and 64 MiB|is no multiple of 1024/
  refused(`piece length is ${what}`, reason, single({ 'piece length': length }))
}
refused('piece length is 2^63 - 1', /out of range/, single({ 'piece length': 2n ** 63n - 1n }))
refused(
  'piece length is missing',
  /"piece length" is missing/,
  single({ 'piece length': undefined }),
)
refused('piece length is a string', /no integer/, single({ 'piece length': '16384' }))
refused('pieces is missing', /"pieces" is missing/, single({ pieces: undefined }))
refused('pieces is a list', /no byte string/, single({ pieces: [hashes(1)] }))
refused('pieces is an integer', /no byte string/, single({ pieces: 20 }))
refused('pieces is empty', /0 piece hashes for 1 pieces/, single({ pieces: new Uint8Array(0) }))
refused('pieces has 19 bytes', /no multiple of 20/, single({ pieces: hashes(1).subarray(1) }))
refused('pieces has 21 bytes', /no multiple of 20/, single({ pieces: new Uint8Array(21) }))
refused('pieces has one hash too many', /2 piece hashes for 1/, single({ pieces: hashes(2) }))
refused('pieces has one hash for 1000 pieces', /1 piece hashes for 1000/, {
  ...single({ length: 1000 * PIECE }),
})
refused('pieces is short by one at a boundary', /2 piece hashes for 3/, {
  ...single({ length: 2 * PIECE + 1, pieces: hashes(2) }),
})
refusedBytes('pieces has 400,000 hashes for one piece', /400000 piece hashes for 1/, () =>
  encode(single({ pieces: hashes(400_000) })),
)

// Kinds we do not speak.
refused('a file is a symbolic link', /symbolic link/, {
  ...multi([{ attr: 'l', length: 0, path: ['a'], 'symlink path': ['..', '..', 'etc'] }, file('b')]),
})
refused('a file is a symbolic link by attribute only', /symbolic link/, {
  ...multi([{ attr: 'xl', length: 0, path: ['a'] }, file('b')]),
})
refused('a file is a symbolic link by path only', /symbolic link/, {
  ...multi([{ length: 10, path: ['a'], 'symlink path': ['b'] }]),
})
refused('a file is a symbolic link to itself', /symbolic link/, {
  ...multi([{ attr: 'l', length: 0, path: ['a'], 'symlink path': ['a'] }, file('b')]),
})
refused('a symbolic link is a folder of another file', /symbolic link/, {
  ...multi([
    { attr: 'l', length: 0, path: ['a'], 'symlink path': ['/'] },
    { length: 10, path: ['a', 'b'] },
  ]),
})
refused('the single file is a symbolic link', /symbolic link/, single({ attr: 'l' }))
refused('the single file has a symlink path', /symbolic link/, single({ 'symlink path': ['a'] }))
refused('attr of a file is an integer', /no byte string/, {
  ...multi([{ attr: 1, length: 10, path: ['a'] }]),
})
refused('only the v2 part is there', /v2 torrent without v1/, {
  'file tree': { a: { '': { length: 10, 'pieces root': new Uint8Array(32) } } },
  'meta version': 2,
  name: 'a',
  'piece length': PIECE,
})
refused('only a merkle root is there', /"pieces" is missing/, {
  ...single({ pieces: undefined, 'root hash': new Uint8Array(20) }),
})
refused('meta version is negative', /is negative/, single({ 'meta version': -2 }))
refused('private is a string', /no integer/, single({ private: '1' }))

// Bencode that two readers may read differently.
const canonical = /not canonical bencode/
raw('bencode: nothing', /no dictionary/, '')
raw('bencode: a list', /no dictionary/, 'le')
raw('bencode: a string', /no dictionary/, '4:spam')
raw('bencode: an empty dictionary', /"pieces" is missing/, 'de')
raw('bencode: ends too early', /ends too early/, `d6:lengthi100e${REST}`)
raw('bencode: goes on after the end', canonical, `d6:lengthi100e${REST}ee`)
raw(
  'bencode: a second info after the first',
  canonical,
  `d6:lengthi100e${REST}ed6:lengthi100e${REST}e`,
)
raw('bencode: a line break after the end', canonical, `d6:lengthi100e${REST}e\n`)
raw(
  'bencode: keys out of order',
  /out of order/,
  `d4:name1:x6:lengthi100e12:piece lengthi16384e${PIECES}e`,
)
raw('bencode: a key twice', /out of order or twice/, `d6:lengthi1e6:lengthi100e${REST}e`)
raw('bencode: the empty key twice', /out of order or twice/, `d0:i1e0:i1e6:lengthi100e${REST}e`)
raw('bencode: a key that is an integer', /no byte string/, `di1ei2e6:lengthi100e${REST}e`)
raw('bencode: a key without value', canonical, `d6:lengthi100e${REST}1:ze`)
raw('bencode: an integer with leading zero', /leading zero/, `d6:lengthi0100e${REST}e`)
raw('bencode: minus zero', /leading zero/, `d6:lengthi-0e${REST}e`)
raw('bencode: an integer with a plus', /malformed integer/, `d6:lengthi+100e${REST}e`)
raw('bencode: an integer with a point', /malformed integer/, `d6:lengthi1.5e${REST}e`)
raw('bencode: an integer with an exponent', /malformed integer/, `d6:lengthi1E2e${REST}e`)
raw('bencode: an integer with spaces', /malformed integer/, `d6:lengthi 100e${REST}e`)
raw('bencode: an empty integer', /malformed integer/, `d6:lengthie${REST}e`)
raw('bencode: an integer without end', /malformed|beyond 64/, `d6:lengthi100`)
raw('bencode: an integer of 65 bits', /beyond 64 bits/, `d6:lengthi18446744073709551616e${REST}e`)
raw('bencode: an integer of a megabyte', /beyond 64 bits/, `d6:lengthi${'1'.repeat(1_000_000)}e`)
raw('bencode: a length with leading zero', /leading zero/, `d06:lengthi100e${REST}e`)
raw('bencode: a length of a megabyte', /out of range/, `d${'1'.repeat(1_000_000)}:a`)
raw('bencode: a negative length', canonical, 'd-1:ai1ee')
raw('bencode: a string longer than the document', /longer than/, 'd4:name9999999999:xe')
raw('bencode: a string one byte longer than the document', /longer than/, 'd4:name3:xe')
raw('bencode: a string without colon', /without length/, 'd4name1:xe')
raw('bencode: an unknown type', /unknown type/, `d1:ax6:lengthi100e${REST}e`)
raw('bencode: JSON', /no dictionary/, '{"length":100}')
for (const [what, open] of [
  ['lists', 'l'],
  ['dictionaries', 'd1:a'],
] as const) {
  raw(`bencode: ${what} nested 81 deep`, /too deep/, `d1:a${open.repeat(81)}`)
  raw(`bencode: ${what} nested a million deep`, /too deep/, `d1:a${open.repeat(1_000_000)}`)
}
raw('bencode: a deep list inside a file', /too deep/, `d5:filesld1:a${'l'.repeat(5000)}`)
raw(
  'bencode: a file with a million values nobody asked for',
  /too large/,
  `d5:filesld1:al${'de'.repeat(1_000_000)}ee`,
)
refusedBytes('bencode: nine megabytes of empty dictionaries', /"pieces" is missing/, () =>
  ascii(`d1:al${'de'.repeat(4_500_000)}ee`),
)
refusedBytes('bencode: nine megabytes of keys', /out of order/, () =>
  ascii(`d${'1:a0:'.repeat(1_800_000)}e`),
)
refusedBytes(
  'bencode: one key less than the one before it after a megabyte',
  /out of order/,
  () => {
    const long = 'k'.repeat(1_000_000)
    return ascii(`d1000001:${long}bi1e1000001:${long}ai1ee`)
  },
)

// Read, with the harm gone.
neutralised('pad files of one name', () =>
  multi(
    [
      file('a'),
      { attr: 'p', length: PIECE - 10, path: ['.pad', '16374'] },
      file('b'),
      { attr: 'p', length: PIECE - 10, path: ['.pad', '16374'] },
      file('c'),
    ],
    { pieces: hashes(3) },
  ),
)
neutralised('a pad file that has the name of a file', () =>
  multi([file('index.html'), { attr: 'p', length: 10, path: ['index.html'] }]),
)
neutralised('a pad file without path', () => multi([file('a'), { attr: 'p', length: 10 }]))
neutralised('a pad folder without attribute', () => multi([file('a'), file('.pad', '10')]))
neutralised('names that are no UTF-8', () =>
  multi([file(fromHex('ff61'), fromHex('c328')), file('b')], { name: fromHex('e4') }),
)
neutralised('path.utf-8 that is no UTF-8', () =>
  multi([{ length: 10, path: ['good'], 'path.utf-8': [fromHex('ff')] }]),
)
neutralised('path in an old encoding beside path.utf-8', () =>
  multi([{ length: 10, path: [fromHex('8365')], 'path.utf-8': ['\u30c6'] }]),
)
neutralised('surrogates written in UTF-8', () => single({ name: fromHex('eda080') }))
neutralised('overlong UTF-8 of a slash', () => multi([file(fromHex('c0af'), 'x')]))
neutralised('overlong UTF-8 of dots', () => multi([file(fromHex('c0aec0ae'), 'x')]))
neutralised('names with backslashes', () => multi([file('..\\..\\windows'), file('a\\b')]))
neutralised('names that Windows reserves', () => multi([file('CON'), file('a:b'), file('nul.txt')]))
neutralised('names in markup', () => multi([file('<script>alert(1)<script>'), file('"><img>')]))
neutralised('names that turn the direction of writing', () => single({ name: 'a\u202efdp.exe' }))
neutralised('names that differ in case only', () => multi([file('A'), file('a')]))
neutralised('names of prototypes', () => multi([file('__proto__'), file('constructor', 'x')]))
neutralised('keys of prototypes', () => single({ ['__proto__']: 1, constructor: 'x' }))
neutralised('names that look encoded', () => multi([file('%2e%2e'), file('a%2Fb'), file('c%00')]))
neutralised('names of spaces and dots', () => multi([file(' '), file('...'), file('a.')]))
neutralised('a path under .btlink', () => multi([file('.btlink', 'proxy.pac')]))
neutralised('a hybrid torrent with another file tree', () => ({
  ...multi([file('v1')]),
  'file tree': { v2: { '': { length: 10, 'pieces root': new Uint8Array(32) } } },
  'meta version': 2,
}))
neutralised('a file tree nested 70 deep', () => {
  let tree: Encodable = { '': { length: 1 } }
  for (let i = 0; i < 70; i++) tree = { d: tree }
  return { ...single(), 'file tree': tree, 'meta version': 2 }
})
neutralised('keys nobody knows', () => single({ source: 'x', zzz: [[{}], -5, 'y'], publisher: '' }))
neutralised('private with another number', () => single({ private: 2 }))
neutralised('empty files between full ones', () =>
  multi([file('a'), { length: 0, path: ['b'] }, file('c'), { length: 0, path: ['d'] }]),
)
neutralised('100,000 files', () =>
  multi(
    Array.from({ length: 100_000 }, (_, i) => ({ length: 1, path: [`d${i % 300}`, `${i}`] })),
    { pieces: hashes(7) },
  ),
)
neutralised('500,000 pieces', () => single({ length: 500_000 * PIECE, pieces: hashes(500_000) }))
neutralised('nine megabytes of values nobody asked for', () => ({
  ...single(),
  zzz: Array<Encodable>(3_000_000).fill(1),
}))

// Whole torrent files.
const soundInfo = (): Uint8Array => encode(single())
const around = (before: string, after: string) => (): Uint8Array =>
  concatBytes(ascii(`d${before}4:info`), soundInfo(), ascii(`${after}e`))

function torrent(
  name: string,
  expected: HostileTorrent['expected'],
  bytes: () => Uint8Array,
  reason?: RegExp,
): void {
  torrents.push({ name, kind: 'torrent', bytes, expected, ...(reason && { reason }) })
}

torrent('torrent: nothing', 'refused', () => new Uint8Array(0), /no dictionary/)
torrent('torrent: a web page', 'refused', () => utf8('<html></html>'), /no dictionary/)
torrent('torrent: an info alone', 'refused', soundInfo, /"info" is missing/)
torrent('torrent: info is a list', 'refused', () => ascii('d4:infolee'), /no dictionary/)
torrent('torrent: info is a string', 'refused', () => ascii('d4:info2:dee'), /no dictionary/)
torrent('torrent: info twice', 'refused', around('4:infode', ''), /out of order or twice/)
torrent('torrent: keys out of order', 'refused', around('', '1:ai1e'), /out of order/)
torrent(
  'torrent: bytes after the end',
  'refused',
  () => concatBytes(around('', '')(), utf8('\n')),
  canonical,
)
torrent('torrent: cut off', 'refused', () => around('', '')().subarray(0, -1), /ends too early/)
torrent(
  'torrent: more than 32 MiB',
  'refused',
  () => new Uint8Array(33 * KIB * KIB),
  /more than 33554432/,
)
torrent(
  'torrent: a thousand entries beside the info',
  'refused',
  () =>
    ascii(
      `d${Array.from({ length: 1000 }, (_, i) => `4:${String(i).padStart(4, '0')}0:`).join('')}e`,
    ),
  /more than 100 entries/,
)
torrent(
  'torrent: nested a million deep',
  'refused',
  () => ascii(`d1:a${'l'.repeat(1e6)}`),
  /too deep/,
)
torrent(
  'torrent: with a hostile info',
  'refused',
  () => encode({ announce: 'http://t.example/', info: single({ name: '..' }) as Encodable }),
  /is "\.\."/,
)
torrent('torrent: announce is a dictionary', 'neutralised', around('8:announcede', ''))
torrent('torrent: announce is a file', 'neutralised', around('8:announce18:file:///etc/passwd', ''))
torrent('torrent: announce is no UTF-8', 'neutralised', around('8:announce2:\xff\xfe', ''))
torrent(
  'torrent: announce with credentials',
  'neutralised',
  around('8:announce21:http://a:b@t.example/', ''),
)
torrent(
  'torrent: announce of 100 KB',
  'neutralised',
  around(`8:announce100009:http://t/${'a'.repeat(100_000)}`, ''),
)
torrent('torrent: announce-list is a string', 'neutralised', around('13:announce-list4:http', ''))
torrent(
  'torrent: announce-list of integers',
  'neutralised',
  around('13:announce-listli1eli2eee', ''),
)
torrent(
  'torrent: announce-list of 10,000 trackers',
  'neutralised',
  around(`13:announce-listl${'l17:udp://t.example:1e'.repeat(10_000)}e`, ''),
)
torrent(
  'torrent: announce-list of 1000 different trackers',
  'neutralised',
  around(
    `13:announce-listl${Array.from({ length: 1000 }, (_, i) => `l20:udp://${1000 + i}.example:1e`).join('')}e`,
    '',
  ),
)
torrent(
  'torrent: url-list with a space around',
  'neutralised',
  around('', '8:url-list13: http://w.ex/'),
)
torrent('torrent: url-list of dictionaries', 'neutralised', around('', '8:url-listldedee'))
torrent(
  'torrent: url-list of scripts',
  'neutralised',
  around('', '8:url-listl19:javascript:alert(1)e'),
)
torrent('torrent: nodes of names and bad ports', 'neutralised', () =>
  concatBytes(
    ascii('d4:info'),
    soundInfo(),
    ascii(
      '5:nodesll9:localhosti80eel7:1.2.3.4i0eel7:1.2.3.4i99999eel7:1.2.3.4i6881eel3:::1i1eelei5eee',
    ),
  ),
)

/** Refused or neutralised by the validator of `base/metainfo`, every one of them. */
export const hostileTorrents: readonly HostileTorrent[] = [...infos, ...torrents]
