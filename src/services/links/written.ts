/** Link records that the household wrote into its configuration. */
import { messageOf, printable } from '../../base/errors.ts'
import { type LinkTarget, parseLinkValue, readLinkRecords } from '../../base/names/index.ts'
import { type Domains, recordName } from './domains.ts'
import { LinksBadRecord } from './errors.ts'

/**
 * @param entries `domain=magnet` or `domain=btlink name`
 * @returns by canonical domain
 * @throws LinksBadRecord
 */
export function readWritten(
  entries: readonly string[],
  domains: Domains,
  tld: string,
): Map<string, LinkTarget> {
  const values = new Map<string, string[][]>()
  for (const entry of entries) {
    const fail = (fault: string, cause?: unknown) =>
      new LinksBadRecord(printable(entry), fault, { cause })
    const at = entry.indexOf('=')
    const domain = at < 1 ? undefined : domains.canonical(entry.slice(0, at).trim())
    if (domain === undefined || recordName(domain) === undefined) {
      throw fail('domain=magnet link or domain=btlink name is the form')
    }
    if (domain === tld || domain.endsWith(`.${tld}`)) throw fail('a btlink name needs none')
    const value = entry.slice(at + 1).trim()
    try {
      parseLinkValue(value, tld)
    } catch (error) {
      throw fail(messageOf(error), error)
    }
    values.set(domain, [...(values.get(domain) ?? []), [value]])
  }
  const written = new Map<string, LinkTarget>()
  for (const [domain, records] of values) {
    const target = readLinkRecords(records, tld)
    if (target) written.set(domain, target)
  }
  return written
}
