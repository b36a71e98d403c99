/** The fingerprint of the root in force as words, for a screen: read without its keys and without a daemon. */
import { createHash, X509Certificate } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fingerprintWords } from './words.ts'

const NUMBER = /^[1-9]\d{0,8}$/

/**
 * @param folder of the authorities
 * @param tld names end in it
 * @returns undefined where there is no root yet, or none that can be read
 */
export async function shownWords(folder: string, tld: string): Promise<string[] | undefined> {
  const shelf = join(folder, 'names', tld)
  try {
    const numbers = (await readdir(shelf)).filter((entry) => NUMBER.test(entry)).map(Number)
    const pem = await readFile(join(shelf, String(Math.max(...numbers)), 'root.pem'))
    return fingerprintWords(createHash('sha256').update(new X509Certificate(pem).raw).digest())
  } catch {
    return undefined
  }
}
