/**
 * Loads webtorrent without the parts that we have ourselves or never switch on, which take memory
 * all the same. Its WebRTC would also bring native code into this process, whose faults nobody can
 * catch; ours lives in a process of its own.
 */
import { registerHooks } from 'node:module'
import type WebTorrent from 'webtorrent'

const WITHOUT = new Set([
  '@thaunknown/simple-peer/lite.js',
  'torrent-discovery',
  'bittorrent-dht',
  './utp.cjs',
  '@silentbot1/nat-api',
  'load-ip-set',
  'create-torrent',
  'fs-chunk-store',
  'cross-fetch-ponyfill',
  './lib/server.js',
])
const NAMES = ['default', 'Client', 'parseInput', 'NodeServer', 'BrowserServer']
const NOTHING = `data:text/javascript,class Nothing {} export { ${NAMES.map((name) => `Nothing as ${name}`).join(', ')} }`

let loading: Promise<typeof WebTorrent> | undefined

async function load(): Promise<typeof WebTorrent> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      WITHOUT.has(specifier)
        ? { url: NOTHING, format: 'module', shortCircuit: true }
        : next(specifier, context),
  })
  try {
    return (await import('webtorrent')).default
  } finally {
    hooks.deregister()
  }
}

export async function loadWebTorrent(): Promise<typeof WebTorrent> {
  loading ??= load()
  return loading
}
