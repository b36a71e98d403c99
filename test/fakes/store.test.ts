import { blobStoreCompliance } from '../compliance/blob-store.ts'
import { siteStoreCompliance } from '../compliance/site-store.ts'
import { createFakeStore } from './store.ts'

blobStoreCompliance('the fake store', async () => createFakeStore())
siteStoreCompliance('the fake store', async () => createFakeStore())
