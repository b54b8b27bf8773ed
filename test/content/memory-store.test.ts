import test from 'ava'
import { MemoryStore } from '../../src/content/memory-store.ts'
import { contentSuite } from '../suites/content.ts'

contentSuite(test, 'memory', async () => new MemoryStore(), { labels: true })
