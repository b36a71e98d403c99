/** WebRTC data channels to browsers, with the native code in a process of its own. */
export type { WebRtcConfig } from './config.ts'
export { createWebRtc, type WebRtcDeps } from './web-rtc.ts'
