import zlib from 'node:zlib'
import { descriptorToJson } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { LoadScope } from '../../src/runtime/import.ts'
import { type CollectedStore, collectedStore } from './collected.ts'
import { flat, type Node } from './image.ts'
import { type RawEntry, rawTar } from './tar.ts'
import type { Teardown } from './tmp.ts'

/** An image as an archive's index has it. */
export interface Entry {
  readonly node: Node
  readonly annotations?: Readonly<Record<string, string>>
}

const refName = 'org.opencontainers.image.ref.name'
const imageName = 'io.containerd.image.name'

/** An entry whose name is a tag. */
export const tagged = (node: Node, tag: string): Entry => ({ node, annotations: { [refName]: tag } })

/** An entry with a full name. */
export const named = (node: Node, name: string): Entry => ({ node, annotations: { [imageName]: name } })

/** Where a blob stands in a layout. */
export const pathOf = ({ desc }: Node): string => `blobs/${desc.digest.replace(':', '/')}`

/** A blob as an entry of a tar. */
export const blobEntry = (node: Node): RawEntry => ({ name: pathOf(node), body: node.bytes })

/** The file that says that a tar is a layout. */
export const layoutEntry: RawEntry = { name: 'oci-layout', body: '{"imageLayoutVersion":"1.0.0"}' }

/** `index.json` for some entries. */
export const indexEntry = (...entries: readonly Entry[]): RawEntry => ({
  name: 'index.json',
  body: JSON.stringify({
    schemaVersion: 2,
    manifests: entries.map(({ node: { desc }, annotations }) => ({
      ...descriptorToJson(desc),
      ...(annotations && { annotations }),
    })),
  }),
})

/** The entries of an OCI layout, blobs first. */
export const layoutEntries = (...entries: readonly Entry[]): readonly RawEntry[] => [
  ...new Map(flat(...entries.map(({ node }) => node)).map(node => [pathOf(node), blobEntry(node)])).values(),
  indexEntry(...entries),
  layoutEntry,
]

/** A tar of an OCI layout. */
export const layoutTar = (...entries: readonly Entry[]): Buffer => rawTar(...layoutEntries(...entries))

/** What `docker save` is to write: layers by their text, and what the archive calls them. */
export interface DockerSave {
  readonly tags?: readonly string[]
  readonly layers?: readonly string[]
  readonly platform?: string
  /** Default: those of the layers. */
  readonly diffIds?: readonly string[]
}

/** A tar of a text, as a layer is one. */
export const layerTar = (text: string): Buffer => rawTar({ name: 'file', body: text })

/** Things that `dockerEntries` gives names to. */
export const dockerPaths = {
  config: 'c0ffee.json',
  layer: (at: number) => `${String(at).repeat(64)}/layer.tar`,
}

/** The entries of what `docker save` writes, in its order: layers, config, manifest.json. */
export function dockerEntries(init: DockerSave = {}): readonly RawEntry[] {
  const { tags = ['busybox:1'], layers = ['one', 'two'], platform = 'linux/amd64' } = init
  const [os, architecture, variant] = platform.split('/')
  const tars = layers.map(layerTar)
  const diffIds = init.diffIds ?? tars.map(tar => digestOf(tar))
  const config = {
    os,
    architecture,
    ...(variant && { variant }),
    rootfs: { type: 'layers', diff_ids: diffIds },
  }
  const manifest = [
    { Config: dockerPaths.config, RepoTags: tags, Layers: tars.map((_, at) => dockerPaths.layer(at)) },
  ]
  return [
    ...tars.flatMap((body, at) => [
      { name: `${String(at).repeat(64)}/`, flag: '5' },
      { name: `${String(at).repeat(64)}/VERSION`, body: '1.0' },
      { name: `${String(at).repeat(64)}/json`, body: '{}' },
      { name: dockerPaths.layer(at), body },
    ]),
    { name: dockerPaths.config, body: JSON.stringify(config) },
    { name: 'manifest.json', body: JSON.stringify(manifest) },
    { name: 'repositories', body: '{}' },
  ]
}

/** A store in memory as the verbs want it. */
export function loadScope(t: Teardown): { readonly store: CollectedStore; readonly scope: LoadScope } {
  const store = collectedStore(t)
  const scope = (lease?: string): LoadScope => ({
    ...store.scope('default', lease),
    under: id => scope(id),
  })
  return { store, scope: scope() }
}

/** Bytes that become `size` zeros. */
export const gzipBomb = (size: number): Buffer => zlib.gzipSync(Buffer.alloc(size), { level: 9 })
