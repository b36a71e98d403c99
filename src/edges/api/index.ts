/** The door of the API: health, metrics, and the JSON that the command line and web UI drive. */
export { type Api, createApi } from './api.ts'
export type { ApiConfig } from './config.ts'
export type { ApiDeps, ApiOptions } from './deps.ts'
