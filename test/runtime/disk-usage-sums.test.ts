import test from 'ava'
import fc from 'fast-check'
import type { ImageRecord } from '../../src/images/types.ts'
import { imageNode, leaseNode } from '../../src/metadata/collectible.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-type.ts'
import { diskUsage, setUsage } from '../../src/runtime/disk-usage.ts'
import { noBytes, plus } from '../../src/runtime/reach-graph.ts'
import type { StoreGraph } from '../../src/runtime/store-graph.ts'

const blobCount = 6
const blobs = fc.uniqueArray(fc.nat(blobCount - 1), { maxLength: 4 })

/** Records of two namespaces over six blobs: images, some of them expired, a lease each, and blobs nobody keeps. */
const stores: fc.Arbitrary<StoreGraph> = fc
  .record({
    images: fc.array(fc.record({ namespace: fc.constantFrom('a', 'b'), expired: fc.boolean(), blobs }), {
      maxLength: 7,
    }),
    leases: fc.array(fc.record({ namespace: fc.constantFrom('a', 'b'), blobs }), { maxLength: 2 }),
    unreferenced: blobs,
    stray: fc.nat(9),
  })
  .map(({ images, leases, unreferenced, stray }): StoreGraph => {
    const graph: StoreGraph['graph'][number][] = []
    const what: StoreGraph['what'][number][] = []
    const add = (subject: StoreGraph['what'][number], vertex: (typeof graph)[number]): number => {
      what.push(subject)
      return graph.push(vertex) - 1
    }
    for (let at = 0; at < blobCount; at++) {
      const size = 10 ** at
      add(
        { kind: 'blob-file', key: digestOf(String(at)) },
        { root: false, below: [], file: { bytes: size, allocated: size } },
      )
    }
    const contents = new Map<string, number>()
    const content = (namespace: string, blob: number): number => {
      const id = `${namespace} ${blob}`
      const known = contents.get(id)
      if (known !== undefined) return known
      const place = add(
        { kind: 'content', namespace, key: digestOf(String(blob)) },
        { root: false, below: [blob] },
      )
      contents.set(id, place)
      return place
    }
    const places = new Map<string, number>()
    const records: ImageRecord[] = []
    for (const [at, image] of images.entries()) {
      const below = image.blobs.map(blob => content(image.namespace, blob))
      const name = `image-${at}`
      places.set(
        `${image.namespace} ${name}`,
        add(imageNode(image.namespace, name), { root: !image.expired, below }),
      )
      const target = { mediaType: mediaTypes.ociManifest, digest: digestOf(name), size: 1 }
      const dates = { createdAt: new Date(0), updatedAt: new Date(0) }
      if (image.namespace === 'a') records.push({ name, target, labels: {}, ...dates })
    }
    for (const [at, lease] of leases.entries()) {
      const below = lease.blobs.map(blob => content(lease.namespace, blob))
      add(leaseNode(lease.namespace, `lease-${at}`), { root: true, below })
    }
    for (const blob of unreferenced) content('a', blob)
    const inGraph = graph.reduce((sum, { file }) => (file ? plus(sum, file) : sum), noBytes)
    const others = { bytes: stray, allocated: stray }
    return {
      namespace: 'a',
      images: records,
      graph,
      what,
      verticesOf: (namespace, image) =>
        [places.get(`${namespace} ${image}`) ?? -1].filter(place => place >= 0),
      files: { total: plus(inGraph, others) },
    }
  })

test('diskUsage() counts every byte once, in the column of the images or in one part', t => {
  fc.assert(
    fc.property(stores, store => {
      const { images, parts, total, content } = diskUsage(store, { bytes: 5, allocated: 8 })
      const unique = images.reduce((sum, image) => sum + image.unique, 0)
      const rest = Object.values(parts).reduce((sum, { bytes }) => sum + bytes, 0)
      t.is(unique + rest, total.bytes)
      t.is(content.bytes + 5, total.bytes)
      for (const image of images) {
        t.is(image.shared + image.unique, image.logical)
        t.true(image.freed <= image.unique)
      }
    }),
    { numRuns: 500 },
  )
})

test('setUsage() of one image is its row, and of more never less than the sum of theirs', t => {
  fc.assert(
    fc.property(stores, store => {
      const { images, together } = diskUsage(store, noBytes)
      for (const [at, record] of store.images.entries()) {
        const set = setUsage(store, [record])
        t.like(images[at], { ...set })
      }
      t.true(together.freed >= images.reduce((sum, { freed }) => sum + freed, 0))
      t.true(together.unique >= images.reduce((sum, { unique }) => sum + unique, 0))
      t.deepEqual(setUsage(store, []), { logical: 0, unique: 0, shared: 0, freed: 0 })
    }),
    { numRuns: 500 },
  )
})
