/**
 * Messages between roles: a 4-byte length, then JSON in which bytes are `{"$b":"<base64>"}`. JSON and
 * not v8's own format, because the role at the other end speaks with strangers.
 */
import { declareError } from '../../base/errors.ts'

export const BadFrame = declareError(
  'BTL_ERR_RPC_BAD_FRAME',
  'a message of the other role is %s',
  500,
)

export const MAX_FRAME_BYTES = 32 * 1024 * 1024
const HEADER_BYTES = 4

function toWire(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return { $b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  if (Array.isArray(value)) return value.map(toWire)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toWire(item)]))
}

function fromWire(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$b' in value)) return value
  const { $b: base64 } = value
  return typeof base64 === 'string' ? Uint8Array.from(Buffer.from(base64, 'base64')) : value
}

/** @throws BadFrame over MAX_FRAME_BYTES */
export function encodeFrame(message: unknown): Uint8Array {
  const body = Buffer.from(JSON.stringify(toWire(message)))
  if (body.length > MAX_FRAME_BYTES) throw new BadFrame(`${body.length} bytes long`)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length)
  frame.writeUInt32BE(body.length)
  body.copy(frame, HEADER_BYTES)
  return frame
}

export interface FrameReader {
  /**
   * The whole messages that this chunk completes.
   * @throws BadFrame on a length out of range or a body that is no JSON
   */
  push(chunk: Buffer): unknown[]
}

export function createFrameReader(): FrameReader {
  let chunks: Buffer[] = []
  let held = 0

  function take(bytes: number): Buffer {
    const all = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
    chunks = all.length > bytes ? [all.subarray(bytes)] : []
    held = all.length - bytes
    return all.subarray(0, bytes)
  }

  function parse(body: Buffer): unknown {
    try {
      return JSON.parse(body.toString('utf8'), fromWire)
    } catch (error) {
      throw new BadFrame('no JSON', { cause: error })
    }
  }

  let awaited: number | undefined
  return {
    push(chunk) {
      chunks.push(chunk)
      held += chunk.length
      const messages: unknown[] = []
      for (;;) {
        if (awaited === undefined) {
          if (held < HEADER_BYTES) return messages
          awaited = take(HEADER_BYTES).readUInt32BE()
          if (awaited > MAX_FRAME_BYTES) throw new BadFrame(`${awaited} bytes long`)
        }
        if (held < awaited) return messages
        messages.push(parse(take(awaited)))
        awaited = undefined
      }
    },
  }
}
