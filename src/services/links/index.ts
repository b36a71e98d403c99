export { createLinks, type LinksDeps, type LinksOptions } from './links.ts'
