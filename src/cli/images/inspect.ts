import type { InfoProvider, Provider } from '../../content/types.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { formatPlatformAll } from '../../oci/platform.ts'
import { type InspectedNode, inspect } from '../../runtime/inspect.ts'
import { lookupImage } from '../lookup.ts'
import { toJson } from '../output.ts'
import type { Register } from '../register.ts'
import { addRegistryOptions, type RegistryOptions } from '../registry-options.ts'
import { withRemote } from '../remote.ts'

interface InspectCommandOptions extends RegistryOptions {
  readonly content?: boolean
  readonly remote?: boolean
}

/** `orlop images inspect` */
export const registerInspect: Register = (noun, context) => {
  const { out, signal, options: global } = context
  const command = noun
    .command('inspect <image...>')
    .alias('i')
    .description('draw an image as a tree: indexes, manifests, configs and layers, and what of it is here')
    .option('--content', 'show the documents too')
    .option('--remote', 'ask the registry, and pull nothing')
  addRegistryOptions(command).action(async (names: string[], options: InspectCommandOptions) => {
    const documents: unknown[] = []
    const show = async (
      provider: Provider & Partial<InfoProvider>,
      target: Descriptor,
      name: string,
      record: object = {},
    ): Promise<void> => {
      const nodes: InspectedNode[] = []
      for await (const node of inspect(provider, target, { content: options.content, signal }))
        nodes.push(node)
      if (global.json) documents.push({ name, target, ...record, nodes })
      else for (const line of [name, ...tree(nodes)]) out.line(line)
    }
    for (const name of names) {
      if (options.remote) {
        await withRemote(name, options, context, show)
        continue
      }
      const { images, disk } = await context.scope()
      const record = await lookupImage(images, name, { signal })
      await show(disk, record.target, record.name, record)
    }
    if (global.json) out.json(documents)
  })
}

/** The lines of a tree of nodes that come parents first. */
export function tree(nodes: readonly InspectedNode[]): readonly string[] {
  const lines: string[] = []
  // Whether there is another sibling below, for each level above the current node.
  const open: boolean[] = []
  nodes.forEach((node, at) => {
    const more = hasSibling(nodes, at)
    const stem = open
      .slice(0, node.depth)
      .map(goesOn => (goesOn ? '│   ' : '    '))
      .join('')
    lines.push(`${stem}${more ? '├── ' : '└── '}${describeNode(node)}`)
    open[node.depth] = more
    const below = `${stem}${more ? '│   ' : '    '}${nodes[at + 1]?.depth === node.depth + 1 ? '│   ' : '    '}`
    for (const line of details(node)) lines.push(`${below}${line}`)
  })
  return lines
}

const hasSibling = (nodes: readonly InspectedNode[], at: number): boolean => {
  const depth = nodes[at]?.depth ?? 0
  for (const node of nodes.slice(at + 1)) {
    if (node.depth < depth) return false
    if (node.depth === depth) return true
  }
  return false
}

const describeNode = ({ descriptor, present }: InspectedNode): string =>
  `${descriptor.mediaType} @${descriptor.digest} (${descriptor.size} bytes)${present ? '' : ' missing'}`

function details({ descriptor, content, problem }: InspectedNode): readonly string[] {
  const { platform, annotations } = descriptor
  return [
    ...(platform ? [`platform: ${formatPlatformAll(platform)}`] : []),
    ...Object.entries(annotations ?? {}).map(
      ([key, value]) => `annotation ${key}: ${value.replaceAll('\n', ' ')}`,
    ),
    ...(problem === undefined ? [] : [`problem: ${problem}`]),
    ...(content === undefined ? [] : toJson(content, 2).split('\n')),
  ]
}
