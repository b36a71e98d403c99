import { declareError } from '../errors.ts'

export const BadMetainfo = declareError('BTL_ERR_BASE_METAINFO', 'bad metainfo: %s', 502)

/** A name out of a torrent, short and harmless enough for a message. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

export function refuse(reason: string): never {
  throw new BadMetainfo(reason)
}
