/** The entry: `serve` begins at once with what it needs; every other verb is a client or a tool. */
const [verb, ...args] = process.argv.slice(2)

if (verb === 'serve' && !args.includes('--help')) {
  const { serve } = await import('./serve.ts')
  process.exitCode = await serve(args)
  // The channel to the supervisor would hold it too.
  if (process.connected) process.disconnect()
  // Handles that a library keeps must not hold the process once its parts have stopped.
  setTimeout(() => process.exit(), 500).unref()
} else {
  const { runCli } = await import('./cli/run.ts')
  process.exitCode = await runCli(process.argv.slice(2))
}
