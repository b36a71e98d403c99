export type { ResolveConfig } from './config.ts'
export { createResolver, type Resolver, type ResolverDeps } from './resolver.ts'
