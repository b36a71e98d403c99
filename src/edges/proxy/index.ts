/** The door of the proxy: how devices of the house reach names, and through us other sites. */
export type { ProxyOptions, ProxyServerConfig } from './config.ts'
export { createHouse, machineNetworks } from './house.ts'
export { createProxy, type Proxy, type ProxyDeps } from './proxy.ts'
