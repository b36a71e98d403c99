/**
 * Loads webtorrent without its WebRTC: that part would bring native code into this process, whose
 * faults nobody can catch. Our WebRTC lives in a process of its own.
 */
import { registerHooks } from 'node:module'
import type WebTorrent from 'webtorrent'

const WITHOUT = '@thaunknown/simple-peer/lite.js'
const NOTHING = 'data:text/javascript,export default class Nothing {}'

let loading: Promise<typeof WebTorrent> | undefined

async function load(): Promise<typeof WebTorrent> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === WITHOUT
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
