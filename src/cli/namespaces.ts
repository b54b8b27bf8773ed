import { isNotFound } from '../errors.ts'
import type { Namespace } from '../metadata/namespaces.ts'
import { labelArguments, newLabels } from './arguments.ts'
import { formatLabels } from './output.ts'
import type { Register } from './register.ts'

/** `orlop namespaces …` */
export const registerNamespaces: Register = (noun, context) => {
  registerCreate(noun, context)
  registerList(noun, context)
  registerLabel(noun, context)
  registerRemove(noun, context)
}

const registerCreate: Register = (noun, { out, signal, store, options: global }) => {
  noun
    .command('create <name> [label...]')
    .alias('c')
    .description('create a namespace; one is also made by the first record written in it')
    .action(async (name: string, labels: string[]) => {
      const { namespaces } = await store()
      const namespace = await namespaces.create(name, newLabels(labels), { signal })
      if (global.json) out.json(namespace)
    })
}

const registerList: Register = (noun, { out, signal, store, options: global }) => {
  noun
    .command('list')
    .alias('ls')
    .description('list the namespaces')
    .action(async () => {
      const { namespaces } = await store()
      const found: Namespace[] = []
      for await (const namespace of namespaces.list({ signal })) found.push(namespace)
      if (global.json) out.json(found)
      else if (global.quiet) for (const { name } of found) out.line(name)
      else
        out.table(
          ['NAME', 'LABELS'],
          found.map(({ name, labels }) => [name, formatLabels(labels)]),
        )
    })
}

const registerLabel: Register = (noun, { out, signal, store, options: global }) => {
  noun
    .command('label <name> <label...>')
    .description('set labels of a namespace (key=value; key alone: true), or remove them (key=)')
    .action(async (name: string, labels: string[]) => {
      const { namespaces } = await store()
      const namespace = await namespaces.update(name, { labels: labelArguments(labels) }, { signal })
      if (global.json) out.json(namespace)
      else out.line(formatLabels(namespace.labels))
    })
}

const registerRemove: Register = (noun, { out, signal, store, options: global }) => {
  noun
    .command('remove <name...>')
    .aliases(['rm', 'delete', 'del'])
    .description('remove namespaces that have neither images nor blobs')
    .action(async (names: string[]) => {
      const { namespaces } = await store()
      const removed: string[] = []
      for (const name of names) {
        try {
          await namespaces.delete(name, { signal })
          removed.push(name)
          if (!global.json) out.line(name)
        } catch (error) {
          if (!isNotFound(error)) throw error
          out.note(`orlop: namespace ${name}: not found, nothing removed`)
        }
      }
      if (global.json) out.json(removed)
    })
}
