/** The door of the API: health, metrics, and the JSON that the command line and web UI drive. */
export { type Api, createApi } from './api.ts'
export type { ApiConfig } from './config.ts'
export type { ApiDeps, ApiOptions } from './deps.ts'
export type { DoctorView } from './doctor-routes.ts'
export type { DnsAnswerView, RecordView } from './dns-routes.ts'
export { createTrustApi, type TrustApi } from './trust-api.ts'
export type { RootView, TrustView } from './trust-routes.ts'
