#!/usr/bin/env node
/**
 * Starts btlinkd on the Node it was made for, whichever Node was asked: plain JavaScript, since an
 * older Node must be able to read it. Runs the compiled tree where there is one, else the sources.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const NEEDED_MAJOR = 24

function pinnedNode() {
  try {
    return createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`)
  } catch {
    return undefined
  }
}

function runOnPinnedNode() {
  const node = pinnedNode()
  if (!node) {
    process.stderr.write(
      `btlinkd: needs Node ${NEEDED_MAJOR}, this is ${process.version}: run npm ci in the project folder\n`,
    )
    process.exit(1)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

if (Number(process.versions.node.split('.')[0]) < NEEDED_MAJOR) {
  runOnPinnedNode()
} else {
  const compiled = new URL('../../dist/app/main.js', import.meta.url)
  const useCompiled = process.env.BTL_RUN_SOURCES !== '1' && existsSync(compiled)
  await import(useCompiled ? compiled.href : new URL('./main.ts', import.meta.url).href)
}
