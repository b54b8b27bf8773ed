import test from 'ava'
import { FsStore } from '../../src/content/fs-store.ts'
import { contentSuite } from '../suites/content.ts'
import { memoryLabels } from '../support/labels.ts'
import { temporaryDirectory } from '../support/tmp.ts'

contentSuite(test, 'fs', async t => new FsStore(await temporaryDirectory(t), { labels: memoryLabels() }), {
  labels: true,
})
contentSuite(test, 'fs without labels', async t => new FsStore(await temporaryDirectory(t)), {
  labels: false,
})
