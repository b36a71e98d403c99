export {
  type PublishConfig,
  type PublisherConfig,
  publishConfigSchema,
} from './config.ts'
export { createPublisher, type PublisherDeps, type PublisherService } from './publisher.ts'
