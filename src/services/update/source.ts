/** Where a release comes from: a folder, a tar file, a web server, or the box's own gateway. */

export interface OpenFile {
  /** What it begins with: the offset that was asked for, or 0 where a server knows no ranges. */
  offset: number
  body: AsyncIterable<Uint8Array>
}

export interface ReleaseSource {
  /** For messages: a path or URL. */
  readonly where: string
  readonly kind: 'file' | 'channel' | 'site'
  /**
   * Reads a file of the release from `offset` on.
   * @throws Unreachable where it is not to be had now
   */
  open(name: string, offset: number, signal: AbortSignal): Promise<OpenFile>
  close?(): Promise<void>
}

/** A whole small file. Undefined where it is longer than `maxBytes`. */
export async function readSmall(
  source: ReleaseSource,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { body } = await source.open(name, 0, signal)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
