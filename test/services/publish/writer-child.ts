/**
 * Publishes ever new versions of a folder below argv[2] until it is killed, and prints what was
 * acknowledged: `published SEQ INFOHASH` and `uploaded INFOHASH`.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { openBox, uploads, writeFiles } from './box.ts'

const base = process.argv[2] ?? ''
const folder = join(base, 'site')
// Synchronous: what was printed before a kill has reached the test.
const tell = (...words: (string | number)[]) => writeSync(1, `${words.join(' ')}\n`)

const box = await openBox({ after() {} }, { state: join(base, 'state') })
tell('ready')
for (let i = Date.now(); ; i++) {
  await writeFiles(folder, { 'index.html': `version ${i}`, [`f${i % 7}`]: String(i).repeat(5000) })
  const wait = i % 2 === 0
  const made = await box.publisher.folder(folder, { keyName: 'main', wait })
  tell('published', made.seq, made.infoHash)
  const { infoHash } = await box.publisher.upload('u', uploads([`u${i}`, `content ${i}`]))
  tell('uploaded', infoHash)
}
