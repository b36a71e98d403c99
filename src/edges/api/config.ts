import { type Static, Type } from 'typebox'
import { flag, port, size, text, texts } from '../../base/config-schema.ts'

/** The `gateway` section: the listener of API, metrics and web UI. */
export const apiConfigSchema = Type.Object(
  {
    enabled: flag(true, 'Serve the API over TCP; the socket in the state folder is always there.'),
    address: text('::', 'Address the API listens on; `::` is every address, IPv4 and IPv6.'),
    port: port(9877, 'TCP port of API and web UI.'),
    max_upload_size: size(10 * 1024 ** 3, 'Largest upload.'),
    hosts: texts(
      [],
      "Names under which the API may be asked, besides the box's own addresses and host name.",
    ),
  },
  { additionalProperties: false },
)

export type ApiConfig = Static<typeof apiConfigSchema>
