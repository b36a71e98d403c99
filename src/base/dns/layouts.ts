/**
 * What stands in the data of the types that need a look: those with names in them, which may be
 * compressed (RFC 3597 §4), and those whose readers must be able to trust their form. Data of every
 * other type is bytes.
 */
import { TYPE } from './codes.ts'

/**
 * A number is so many bytes. `name` is compressed where we write it, `wide` only where others did
 * (RFC 3597 §4: no newcomer may compress), `plain` never. `string` has its length before it, `tag` the
 * same and is not empty, `strings` are one or more up to the end, `params` are those of SVCB, `rest`
 * is whatever follows.
 */
export type Part =
  | number
  | 'name'
  | 'wide'
  | 'plain'
  | 'string'
  | 'tag'
  | 'strings'
  | 'params'
  | 'rest'

const ONE_NAME: readonly Part[] = ['name']
const SVCB: readonly Part[] = [2, 'plain', 'params']

const layouts: ReadonlyMap<number, readonly Part[]> = new Map<number, readonly Part[]>([
  [TYPE.A, [4]],
  [TYPE.AAAA, [16]],
  [TYPE.NS, ONE_NAME],
  [TYPE.CNAME, ONE_NAME],
  [TYPE.PTR, ONE_NAME],
  [TYPE.SOA, ['name', 'name', 20]],
  [TYPE.MX, [2, 'name']],
  [TYPE.TXT, ['strings']],
  [TYPE.HINFO, ['string', 'string']],
  [TYPE.SRV, [6, 'wide']],
  [TYPE.DNAME, ['wide']],
  [TYPE.SVCB, SVCB],
  [TYPE.HTTPS, SVCB],
  [TYPE.CAA, [1, 'tag', 'rest']],
  // RFC 1035 §3.3: MD, MF, MB, MG, MR, MINFO.
  [3, ONE_NAME],
  [4, ONE_NAME],
  [7, ONE_NAME],
  [8, ONE_NAME],
  [9, ONE_NAME],
  [14, ['name', 'name']],
  // RFC 3597 §4 and RFC 2535: RP, AFSDB, RT, SIG, PX, NXT, NAPTR, KX.
  [17, ['wide', 'wide']],
  [18, [2, 'wide']],
  [21, [2, 'wide']],
  [24, [18, 'wide', 'rest']],
  [26, [2, 'wide', 'wide']],
  [30, ['wide', 'rest']],
  [35, [4, 'string', 'string', 'string', 'wide']],
  [36, [2, 'wide']],
])

/** Undefined where the data of a type is bytes and nothing more. */
export const layoutOf = (type: number): readonly Part[] | undefined => layouts.get(type)
