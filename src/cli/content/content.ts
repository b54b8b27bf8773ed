import type { Verb } from '../register.ts'

/** `orlop content …`: each verb in a file of its own, loaded when it is named. */
export const contentVerbs: readonly Verb[] = [
  { names: ['list', 'ls'], load: async () => (await import('./list.ts')).registerList },
  { names: ['get'], load: async () => (await import('./get.ts')).registerGet },
  { names: ['info'], load: async () => (await import('./info.ts')).registerInfo },
  { names: ['ingest'], load: async () => (await import('./ingest.ts')).registerIngest },
  { names: ['active'], load: async () => (await import('./active.ts')).registerActive },
  { names: ['abort'], load: async () => (await import('./abort.ts')).registerAbort },
  { names: ['label'], load: async () => (await import('./label.ts')).registerLabel },
  {
    names: ['delete', 'del', 'remove', 'rm'],
    load: async () => (await import('./delete.ts')).registerDelete,
  },
  { names: ['fetch'], load: async () => (await import('./fetch.ts')).registerFetch },
  { names: ['fetch-object'], load: async () => (await import('./fetch-object.ts')).registerFetchObject },
  { names: ['fetch-blob'], load: async () => (await import('./fetch-blob.ts')).registerFetchBlob },
  { names: ['push-object'], load: async () => (await import('./push-object.ts')).registerPushObject },
]
