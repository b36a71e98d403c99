/** The door of the gateway: names of torrents as ordinary websites. */
export type { BtlinkConfig, GatewayConfig, ProxyConfig, UploadsConfig } from './config.ts'
export { createGateway, type Gateway, type GatewayDeps } from './gateway.ts'
