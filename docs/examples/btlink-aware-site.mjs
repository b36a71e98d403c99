/**
 * An ordinary web site that knows btlink: node docs/examples/btlink-aware-site.mjs [port]
 *
 * Visitors whose proxy opens btlink names get links to names; all others get the same through a public
 * gateway. Nothing is asked of the visitor, and nothing is remembered.
 */
import { createServer } from 'node:http'

const GATEWAY = 'https://btlink.gw.example'
const VIDEO = '4a5f0d2a3b1c4d5e6f708192a3b4c5d6e7f80910-ih'

/** The proxy of a house adds `Btlink: 1` to plain requests; it cannot to what goes through its tunnels. */
function linkTo(name, path, req) {
  if (req.headers.btlink === '1') return `http://${name}.btlink${path}`
  const { protocol, host } = new URL(GATEWAY)
  return `${protocol}//${name}.${host}${path}`
}

const server = createServer((req, res) => {
  res.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    // Caches keep one answer for each kind of visitor.
    Vary: 'Btlink',
  })
  res.end(`<!doctype html><title>A site</title><video src="${linkTo(VIDEO, '/film.webm', req)}">`)
})

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`)
})
