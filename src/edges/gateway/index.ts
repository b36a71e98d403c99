/** The door of the gateway: names of torrents as ordinary websites. */
export {
  btlinkConfigSchema,
  proxyConfigSchema,
  uploadsConfigSchema,
  type BtlinkConfig,
  type GatewayConfig,
  type ProxyConfig,
  type UploadsConfig,
} from './config.ts'
export { createGateway, type Gateway, type GatewayDeps } from './gateway.ts'
