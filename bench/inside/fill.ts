import process from 'node:process'
import { fillStore } from '../lib/collection.ts'

/** Makes a store for a collection, of which half of the blobs are garbage: `node dist/bench/inside/fill.js <root> <blobs>`. */
const [root = '', blobs = ''] = process.argv.slice(2)
await fillStore(root, Number(blobs))
