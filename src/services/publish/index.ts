export type { PublishConfig, PublisherConfig } from './config.ts'
export { createPublisher, type PublisherDeps, type PublisherService } from './publisher.ts'
