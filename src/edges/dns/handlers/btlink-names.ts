/**
 * Names of content: every sound one is this box, on the interface it was asked through. A pure function
 * of the name: whoever asks for a million names of keys moves nothing in the DHT and fills no memory.
 */
import { TYPE } from '../../../base/dns/codes.ts'
import { type DnsName, foldName, isWithin, labelsOfName } from '../../../base/dns/name.ts'
import { caaData, txtData } from '../../../base/dns/record-data.ts'
import { utf8 } from '../../../base/bytes.ts'
import { isBtlError } from '../../../base/errors.ts'
import { parseHost, writeMagnet } from '../../../base/names/index.ts'
import type { Asked, Handler, Made } from '../reply.ts'
import { createZone, found, nameOf, noData, notThere, thisBox } from '../zone.ts'

/** Names of the box itself, below the top-level domain. */
const RESERVED = ['ns', 'proxy', 'gateway', 'go', 'check', 'setup', 'my']
/** `X.ih.btlink` is redirected to `X-ih.btlink`: names stand below these, so they are there (RFC 8020). */
const EMPTY = ['ih', 'pk', '44']
/** Nobody else may issue certificates for the zone (RFC 8659). */
const NO_ISSUER = caaData(0, 'issue', ';')
const PLAIN_LABEL = /^[0-9a-z_-]+$/
const LINK_LABEL = '_btlink'

export function createBtlinkNames(tld: string, host: DnsName): Handler {
  const apex = foldName(nameOf(tld))
  const zone = createZone(apex, host)

  function answerApex(asked: Asked): Made {
    switch (asked.query.type) {
      case TYPE.SOA:
        return found(asked, [zone.soa.data])
      case TYPE.NS:
        return found(asked, [zone.ns.data])
      case TYPE.CAA:
        return found(asked, [NO_ISSUER])
      default:
        return thisBox(asked, zone)
    }
  }

  /** What the grammar of names says of it; undefined where it is none. */
  function parsed(labels: readonly string[]): ReturnType<typeof parseHost> | undefined {
    try {
      return parseHost(labels.join('.'), { tld })
    } catch (error) {
      if (isBtlError(error)) return undefined
      throw error
    }
  }

  /** `_btlink.<name>`: the name as a magnet, so that tools of link records work on it too. */
  function answerLink(asked: Asked, labels: readonly string[]): Made | undefined {
    const name = parsed(labels.slice(1))
    if (name === undefined || (name.kind !== 'key' && name.kind !== 'infohash')) return undefined
    if (asked.query.type !== TYPE.TXT) return undefined
    return found(asked, [txtData([utf8(writeMagnet(name))])])
  }

  return {
    name: 'btlink-names',
    answer(asked) {
      const { folded } = asked.query
      if (!isWithin(folded, apex)) return undefined
      if (folded === apex) return answerApex(asked)
      const labels = labelsOfName(folded)
      // A dot within a label must not become one between labels.
      if (!labels.every((label) => PLAIN_LABEL.test(label))) return notThere(zone)
      const [first = ''] = labels
      if (labels.length === 2) {
        if (RESERVED.includes(first)) return thisBox(asked, zone)
        if (EMPTY.includes(first)) return noData(zone)
      }
      const link = first === LINK_LABEL ? answerLink(asked, labels) : undefined
      if (link !== undefined) return link
      return parsed(labels) === undefined ? notThere(zone) : thisBox(asked, zone)
    },
  }
}
