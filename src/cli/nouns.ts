import type { Register } from './register.ts'

/** A noun of the command line, loaded when it is named: `orlop version` need not load the registry client. */
export interface Noun {
  readonly name: string
  readonly aliases: readonly string[]
  readonly summary: string
  load(): Promise<Register>
}

/** Every noun, in the order of `orlop --help`. */
export const nouns: readonly Noun[] = [
  {
    name: 'images',
    aliases: ['image', 'i'],
    summary: 'pull, import, export, list, check, size, tag and delete images',
    load: async () => (await import('./images/images.ts')).registerImages,
  },
  {
    name: 'content',
    aliases: ['c'],
    summary: 'list, read, ingest and delete blobs',
    load: async () => (await import('./content/content.ts')).registerContent,
  },
  {
    name: 'copy',
    aliases: ['cp'],
    summary: 'copy an image between registries, layouts, directories and the store',
    load: async () => (await import('./copy.ts')).registerCopy,
  },
  {
    name: 'leases',
    aliases: ['lease'],
    summary: 'create, list and delete leases, which keep content from collection',
    load: async () => (await import('./leases.ts')).registerLeases,
  },
  {
    name: 'namespaces',
    aliases: ['namespace', 'ns'],
    summary: 'create, list, label and remove namespaces',
    load: async () => (await import('./namespaces.ts')).registerNamespaces,
  },
  {
    name: 'registry',
    aliases: [],
    summary: 'list tags, repositories and referrers; read manifests; log in and out',
    load: async () => (await import('./registry/registry.ts')).registerRegistry,
  },
  {
    name: 'login',
    aliases: [],
    summary: 'check a user and password with a registry, and keep them',
    load: async () => (await import('./registry/login.ts')).addLogin,
  },
  {
    name: 'logout',
    aliases: [],
    summary: 'forget what is kept for a registry',
    load: async () => (await import('./registry/logout.ts')).addLogout,
  },
  {
    name: 'df',
    aliases: [],
    summary: 'show what images and the rest of the store take on disk, and what their removal would free',
    load: async () => (await import('./df.ts')).registerDf,
  },
  {
    name: 'events',
    aliases: ['event'],
    summary: 'print what happens in the store, as it happens',
    load: async () => (await import('./events.ts')).registerEvents,
  },
  {
    name: 'gc',
    aliases: [],
    summary: 'remove what nothing keeps, plan it, and ask what keeps a thing',
    load: async () => (await import('./gc.ts')).registerGc,
  },
  {
    name: 'check',
    aliases: ['fsck'],
    summary: 'check the whole store for damage, and repair it',
    load: async () => (await import('./check.ts')).registerCheckStore,
  },
  {
    name: 'serve',
    aliases: [],
    summary: "serve the store on a socket, to containerd's tools and to other processes",
    load: async () => (await import('./serve.ts')).registerServe,
  },
  {
    name: 'rebuild',
    aliases: [],
    summary: 'make records anew from the blobs when the database is lost',
    load: async () => (await import('./rebuild.ts')).registerRebuild,
  },
  {
    name: 'version',
    aliases: [],
    summary: 'print the version',
    load: async () => (await import('./version.ts')).registerVersion,
  },
]
