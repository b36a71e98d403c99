/** The door of the shared HTTP pieces: wire errors, ranges, conditionals, types, pages, limits. */
export { arrivedByProxy, markProxied } from './arrival.ts'
export {
  addressSet,
  clientAddress,
  isHouseAddress,
  type AddressSet,
} from './client-address.ts'
export { precondition, rangeApplies, type Validators } from './conditional.ts'
export { typeByName, UNKNOWN_TYPE } from './content-type.ts'
export { contentDisposition } from './disposition.ts'
export { BadRequest, UpgradeRefused } from './errors.ts'
export { html, page, type Html } from './html.ts'
export { contentRange, parseRange, type RangeAnswer, type Span } from './range.ts'
export { createHttpServer, hangUp, refuseSocket, type ServerLimits } from './server.ts'
export { closeSignal, createSink, type Sink } from './sink.ts'
export { SNIFF_BYTES, sniffType } from './sniff.ts'
export { requestTarget, type RequestTarget } from './target.ts'
export {
  describeError,
  errorResponse,
  wantsHtml,
  type ErrorBody,
  type ErrorResponse,
} from './wire-error.ts'
