/** Types of `assets.mjs`, which is plain JavaScript since it runs before anything is installed. */
export function copyAssets(from: string, to: string): void
