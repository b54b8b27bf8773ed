import type { Verb } from '../register.ts'

/** `orlop images …`: each verb in a file of its own, loaded when it is named. */
export const imagesVerbs: readonly Verb[] = [
  { names: ['pull'], load: async () => (await import('./pull.ts')).registerPull },
  { names: ['push'], load: async () => (await import('./push.ts')).registerPush },
  { names: ['import'], load: async () => (await import('./import.ts')).registerImport },
  { names: ['export'], load: async () => (await import('./export.ts')).registerExport },
  { names: ['list', 'ls'], load: async () => (await import('./list.ts')).registerList },
  { names: ['check'], load: async () => (await import('./check.ts')).registerCheck },
  { names: ['verify'], load: async () => (await import('./verify.ts')).registerVerify },
  { names: ['inspect', 'i'], load: async () => (await import('./inspect.ts')).registerInspect },
  { names: ['ls-files'], load: async () => (await import('./ls-files.ts')).registerListFiles },
  { names: ['cat'], load: async () => (await import('./cat.ts')).registerCat },
  { names: ['diff'], load: async () => (await import('./diff.ts')).registerDiff },
  { names: ['size'], load: async () => (await import('./size.ts')).registerSize },
  { names: ['platforms'], load: async () => (await import('./platforms.ts')).registerPlatforms },
  { names: ['tag'], load: async () => (await import('./tag.ts')).registerTag },
  { names: ['convert'], load: async () => (await import('./convert.ts')).registerConvert },
  { names: ['label'], load: async () => (await import('./label.ts')).registerLabel },
  { names: ['pin'], load: async () => (await import('./pin.ts')).registerPin },
  { names: ['unpin'], load: async () => (await import('./pin.ts')).registerUnpin },
  {
    names: ['delete', 'del', 'remove', 'rm'],
    load: async () => (await import('./delete.ts')).registerDelete,
  },
  { names: ['prune'], load: async () => (await import('./prune.ts')).registerPrune },
]
