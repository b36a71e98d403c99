/** Files of a multipart form as they come in, never held in memory; and who may send them. */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyHeaders } from '@fastify/busboy'
import type { UploadedFile } from '../../base/ports/content.ts'
import { formatSize } from '../../base/units.ts'
import { BadUpload, UploadRefused, UploadTooLarge } from './errors.ts'

export interface Upload {
  name: string
  files: AsyncIterable<UploadedFile>
}

export interface UploadLimits {
  maxBytes: number
  maxFiles: number
}

export const DEFAULT_UPLOAD_NAME = 'btlink upload'

const MAX_FIELDS = 16
const MAX_FIELD_BYTES = 4096
const MAX_NAME = 255

/**
 * Whether the form may be posted from where it says it comes from: browsers tell the origin of every
 * POST, and a page of another origin must not make this device upload. Programs send neither header.
 * @throws UploadRefused
 */
export function checkOrigin(req: IncomingMessage, authority: string): void {
  const site = req.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new UploadRefused('uploads are only taken from the page of this box itself')
  }
  const { origin } = req.headers
  if (origin === undefined) return
  const isOwn = URL.canParse(origin) && new URL(origin).host === hostOfAuthority(authority)
  if (!isOwn) throw new UploadRefused(`uploads are not taken from pages of ${origin.slice(0, 100)}`)
}

/** As URL writes it: lower case, without the default port. */
function hostOfAuthority(authority: string): string {
  const url = `http://${authority}/`
  return URL.canParse(url) ? new URL(url).host : ''
}

/** Path components of the name a browser gives a file; folders are kept. @throws BadUpload */
function pathOf(fileName: string): string[] {
  if (fileName.startsWith('/') || /^[a-z]:[/\\]/i.test(fileName)) {
    throw new BadUpload(`"${fileName.slice(0, 100)}" is an absolute path`)
  }
  const path = fileName.split('/').filter((part) => part !== '')
  if (path.length === 0) throw new BadUpload('a file without a name')
  for (const part of path) {
    if (part === '..' || part === '.' || part.includes('\0')) {
      throw new BadUpload(`"${fileName.slice(0, 100)}" is no path within an upload`)
    }
  }
  return path
}

interface Arrived {
  fileName: string
  content: Readable
}

/** Files in the order of the form, with what went wrong as their end. */
interface Arrivals {
  files: AsyncGenerator<Arrived>
  fields: Map<string, string>
  /** Resolves when the first file is there or the form is over: the fields before it are read. */
  begun: Promise<void>
}

function readForm(req: IncomingMessage, { maxFiles }: UploadLimits): Arrivals {
  const fields = new Map<string, string>()
  const queue: Arrived[] = []
  // Also those that somebody reads now: a form that breaks off must end them.
  const unfinished = new Set<Readable>()
  let wake = () => {}
  let isOver = false
  let failure: Error | undefined
  let fileCount = 0
  const begun = Promise.withResolvers<void>()
  const stir = () => {
    wake()
    begun.resolve()
  }
  const fail = (error: Error) => {
    failure ??= error
    for (const content of unfinished) content.destroy(failure)
    req.unpipe()
    stir()
  }
  const type = req.headers['content-type']
  if (type === undefined) throw new BadUpload('it has no Content-Type')
  const form = new Busboy({
    headers: req.headers as BusboyHeaders,
    preservePath: true,
    limits: { fields: MAX_FIELDS, fieldSize: MAX_FIELD_BYTES, files: maxFiles, fieldNameSize: 100 },
  })
  form.on('field', (name, value, nameTruncated, valueTruncated) => {
    if (nameTruncated || valueTruncated) fail(new BadUpload('a field is too long'))
    else if (fileCount > 0 && (name === 'name' || name === 'strip-top-directory')) {
      fail(new BadUpload(`the field "${name}" must stand before the files`))
    } else fields.set(name, value)
  })
  form.on('file', (_field, content, fileName) => {
    unfinished.add(content)
    content.on('error', () => undefined)
    content.once('close', () => unfinished.delete(content))
    // Browsers send a nameless empty part for a file input that was left empty.
    if (typeof fileName !== 'string' || fileName === '') {
      content.resume()
      return
    }
    fileCount++
    queue.push({ fileName, content })
    stir()
  })
  form.on('filesLimit', () => fail(new BadUpload(`more than ${maxFiles} files`)))
  form.on('fieldsLimit', () => fail(new BadUpload(`more than ${MAX_FIELDS} fields`)))
  pipeline(req, form).then(
    () => {
      isOver = true
      stir()
    },
    (error: unknown) => fail(new BadUpload('the form ends in the middle', { cause: error })),
  )
  async function* files(): AsyncGenerator<Arrived> {
    for (;;) {
      if (failure) throw failure
      const next = queue.shift()
      if (next) {
        yield next
        // What the reader did not want must not hold up the rest of the form.
        next.content.resume()
      } else if (isOver) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  return { files: files(), fields, begun: begun.promise }
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of content) {
      count(chunk.length)
      yield chunk
    }
  } catch (error) {
    if (error instanceof UploadTooLarge) throw error
    throw new BadUpload('a file ends in the middle', { cause: error })
  }
}

/**
 * Fields come first in the form: `name`, `strip-top-directory`; then any number of files.
 * @throws BadUpload, UploadTooLarge; also from within `files`
 */
export async function readUpload(req: IncomingMessage, limits: UploadLimits): Promise<Upload> {
  const allowed = formatSize(limits.maxBytes)
  // Boundaries and part headers come on top of the files: a little over may still fit.
  const slack = 1024 * 1024
  if (Number(req.headers['content-length'] ?? 0) > limits.maxBytes + slack) {
    throw new UploadTooLarge(allowed)
  }
  let form: Arrivals
  try {
    form = readForm(req, limits)
  } catch (error) {
    if (error instanceof BadUpload) throw error
    throw new BadUpload('it is no multipart form', { cause: error })
  }
  await form.begun
  const strips = form.fields.has('strip-top-directory')
  const name = (form.fields.get('name') ?? '').trim().slice(0, MAX_NAME)
  let total = 0
  const count = (bytes: number) => {
    total += bytes
    if (total > limits.maxBytes) throw new UploadTooLarge(allowed)
  }
  async function* files(): AsyncGenerator<UploadedFile> {
    const seen = new Set<string>()
    for await (const { fileName, content } of form.files) {
      const whole = pathOf(fileName)
      const path = strips && whole.length > 1 ? whole.slice(1) : whole
      const key = path.join('/')
      if (seen.has(key)) throw new BadUpload(`two files are called "${key.slice(0, 100)}"`)
      seen.add(key)
      yield { path, content: counted(content as AsyncIterable<Uint8Array>, count) }
    }
    if (seen.size === 0) throw new BadUpload('no file was chosen')
  }
  return { name: name === '' ? DEFAULT_UPLOAD_NAME : name, files: files() }
}
