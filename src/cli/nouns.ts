import { contentVerbs } from './content/content.ts'
import { imagesVerbs } from './images/images.ts'
import type { Register, Verb } from './register.ts'
import { registryVerbs } from './registry/registry.ts'

/** A noun of the command line, loaded when it is named: `orlop version` need not load the registry client. */
export interface Noun {
  readonly name: string
  readonly aliases: readonly string[]
  readonly summary: string
  /** Its verbs, or what adds all that it has. */
  readonly has: readonly Verb[] | (() => Promise<Register>)
}

/** Every noun, in the order of `orlop --help`. */
export const nouns: readonly Noun[] = [
  {
    name: 'images',
    aliases: ['image', 'i'],
    summary: 'pull, import, export, list, check, size, tag and delete images',
    has: imagesVerbs,
  },
  {
    name: 'content',
    aliases: ['c'],
    summary: 'list, read, ingest and delete blobs',
    has: contentVerbs,
  },
  {
    name: 'copy',
    aliases: ['cp'],
    summary: 'copy an image between registries, layouts, directories and the store',
    has: async () => (await import('./copy.ts')).registerCopy,
  },
  {
    name: 'leases',
    aliases: ['lease'],
    summary: 'create, list and delete leases, which keep content from collection',
    has: async () => (await import('./leases.ts')).registerLeases,
  },
  {
    name: 'namespaces',
    aliases: ['namespace', 'ns'],
    summary: 'create, list, label and remove namespaces',
    has: async () => (await import('./namespaces.ts')).registerNamespaces,
  },
  {
    name: 'registry',
    aliases: [],
    summary: 'list tags, repositories and referrers; read manifests; log in and out',
    has: registryVerbs,
  },
  {
    name: 'login',
    aliases: [],
    summary: 'check a user and password with a registry, and keep them',
    has: async () => (await import('./registry/login.ts')).addLogin,
  },
  {
    name: 'logout',
    aliases: [],
    summary: 'forget what is kept for a registry',
    has: async () => (await import('./registry/logout.ts')).addLogout,
  },
  {
    name: 'df',
    aliases: [],
    summary: 'show what images and the rest of the store take on disk, and what their removal would free',
    has: async () => (await import('./df.ts')).registerDf,
  },
  {
    name: 'events',
    aliases: ['event'],
    summary: 'print what happens in the store, as it happens',
    has: async () => (await import('./events.ts')).registerEvents,
  },
  {
    name: 'gc',
    aliases: [],
    summary: 'remove what nothing keeps, plan it, and ask what keeps a thing',
    has: async () => (await import('./gc.ts')).registerGc,
  },
  {
    name: 'check',
    aliases: ['fsck'],
    summary: 'check the whole store for damage, and repair it',
    has: async () => (await import('./check.ts')).registerCheckStore,
  },
  {
    name: 'serve',
    aliases: [],
    summary: "serve the store on a socket, to containerd's tools and to other processes",
    has: async () => (await import('./serve.ts')).registerServe,
  },
  {
    name: 'rebuild',
    aliases: [],
    summary: 'make records anew from the blobs when the database is lost',
    has: async () => (await import('./rebuild.ts')).registerRebuild,
  },
  {
    name: 'version',
    aliases: [],
    summary: 'print the version',
    has: async () => (await import('./version.ts')).registerVersion,
  },
]

/**
 * What adds the verb of a noun that is named by its next word; for any other word, all verbs, so that help and the error
 * tell of them.
 */
export async function registersOf({ has }: Noun, word: string | undefined): Promise<readonly Register[]> {
  if (typeof has === 'function') return [await has()]
  const named = has.filter(({ names }) => word !== undefined && names.includes(word))
  return Promise.all((named.length > 0 ? named : has).map(verb => verb.load()))
}

/** Every command that can be named, aliases too, and the name under which the launcher keeps its compiled code. */
export const commandNames = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    nouns.flatMap(({ name, aliases, has }) =>
      [name, ...aliases].flatMap(noun => [
        [noun, name],
        ...(typeof has === 'function' ? [] : has).flatMap(({ names }) =>
          names.map(verb => [`${noun} ${verb}`, `${name}-${names[0]}`]),
        ),
      ]),
    ),
  )
