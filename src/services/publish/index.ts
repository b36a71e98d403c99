export {
  type PublishConfig,
  type PublisherConfig,
  publishConfigSchema,
  type UploadsConfig,
  uploadsConfigSchema,
} from './config.ts'
export { createPublisher, type PublisherDeps, type PublisherService } from './publisher.ts'
