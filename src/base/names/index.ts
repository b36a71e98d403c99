export { decodeBase36, decodePublicKey, encodeBase36, encodePublicKey } from './base36.ts'
export {
  convert,
  decodeText,
  ENCODINGS,
  type Encoding,
  encodeText,
  isEncoding,
} from './convert.ts'
export { type BtlinkHost, type HostOptions, hostOf, hyphenHostOf, parseHost } from './host.ts'
export { type LinkTarget, parseLinkValue, readLinkRecords } from './link-record.ts'
export { type Magnet, parseMagnet, writeMagnet } from './magnet.ts'
export type { ImmutableName, InfoHashName, KeyName, Name } from './name.ts'
export { type ParsedName, parseName, type TypedName } from './parse-name.ts'
