import type { Register, Verb } from '../register.ts'

/** `orlop registry …`: what is asked of a registry itself; each verb in a file of its own, loaded when it is named. */
export const registryVerbs: readonly Verb[] = [
  { names: ['tags'], load: async () => (await import('./tags.ts')).registerTags },
  { names: ['catalog'], load: async () => (await import('./catalog.ts')).registerCatalog },
  { names: ['manifest'], load: async () => (await import('./manifest.ts')).registerManifest },
  { names: ['referrers'], load: async () => (await import('./referrers.ts')).registerReferrers },
  {
    names: ['delete', 'del', 'remove', 'rm'],
    load: async () => (await import('./delete.ts')).registerDelete,
  },
  { names: ['login'], load: async () => named('login', (await import('./login.ts')).addLogin) },
  { names: ['logout'], load: async () => named('logout', (await import('./logout.ts')).addLogout) },
]

/** A command of the program, as a verb of a noun too. */
const named =
  (name: string, register: Register): Register =>
  (noun, context) =>
    register(noun.command(name), context)
