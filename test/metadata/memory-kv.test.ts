import test from 'ava'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'
import { keyValueSuite } from '../suites/key-value.ts'

keyValueSuite(test, 'MemoryKeyValue', async () => new MemoryKeyValue())
