import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { fromErrno, isAlreadyExists, isNotFound, OrlopError } from '../errors.ts'
import { parseFilters } from '../filters/filter.ts'
import { Introspection } from './gen/containerd/services/introspection/v1/introspection_pb.ts'
import type { ServiceParts } from './parts.ts'
import { type Service, service } from './rpc.ts'

/** What this server is made of, under the names that containerd gives to such parts. */
const plugins: ReadonlyArray<{ readonly type: string; readonly id: string; readonly requires?: string[] }> = [
  { type: 'io.containerd.content.v1', id: 'content' },
  { type: 'io.containerd.event.v1', id: 'exchange' },
  {
    type: 'io.containerd.metadata.v1',
    id: 'level',
    requires: ['io.containerd.event.v1', 'io.containerd.content.v1'],
  },
  { type: 'io.containerd.lease.v1', id: 'manager', requires: ['io.containerd.metadata.v1'] },
  { type: 'io.containerd.streaming.v1', id: 'manager' },
  {
    type: 'io.containerd.transfer.v1',
    id: 'local',
    requires: ['io.containerd.lease.v1', 'io.containerd.metadata.v1'],
  },
  ...[
    'containers',
    'content',
    'events',
    'healthcheck',
    'images',
    'introspection',
    'leases',
    'namespaces',
  ].map(id => ({ type: 'io.containerd.grpc.v1', id })),
  ...['snapshots', 'streaming', 'transfer', 'version'].map(id => ({ type: 'io.containerd.grpc.v1', id })),
]

/** The service that tells of the server itself. @see containerd plugins/services/introspection */
export const introspectionService = ({ store: { root } }: ServiceParts): Service =>
  service(Introspection, {
    plugins: async ({ filters }) => {
      const wanted = parseFilters(filters)
      const found = plugins.filter(({ type, id }) =>
        wanted(([field, ...rest]) => {
          if (rest.length > 0) return undefined
          return field === 'type' ? type : field === 'id' ? id : undefined
        }),
      )
      return { plugins: found }
    },
    server: async () => ({ uuid: await uuidOf(root), pid: BigInt(process.pid), pidns: await pidNamespace() }),
    pluginInfo: async ({ type, id }) => {
      const plugin = plugins.find(one => one.type === type && one.id === id)
      if (plugin === undefined) throw new OrlopError('NOT_FOUND', `plugin ${JSON.stringify(`${type}.${id}`)}`)
      return { plugin }
    },
  })

/** The server's own id, made at the first question and kept in the root. */
async function uuidOf(root: string): Promise<string> {
  const file = path.join(root, 'uuid')
  const read = async (): Promise<string> => (await fs.readFile(file, 'utf8')).trim()
  try {
    return await read()
  } catch (error) {
    if (!isNotFound(fromErrno(error, file))) throw fromErrno(error, file)
  }
  const fresh = `${file}.${process.pid}.tmp`
  try {
    await fs.writeFile(fresh, randomUUID(), { mode: 0o600 })
    // A link and not a rename: the first one made is the one that stays.
    await fs.link(fresh, file).catch(unlessThere)
    await fs.rm(fresh, { force: true })
    return await read()
  } catch (error) {
    throw fromErrno(error, file)
  }
}

const unlessThere = (error: unknown): void => {
  if (!isAlreadyExists(fromErrno(error, 'uuid'))) throw error
}

/** The inode of this process's PID namespace; 0 where there are none. */
async function pidNamespace(): Promise<bigint> {
  try {
    return (await fs.stat('/proc/self/ns/pid', { bigint: true })).ino
  } catch {
    return 0n
  }
}
