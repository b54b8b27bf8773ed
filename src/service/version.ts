import { version } from '../version.ts'
import { Version } from './gen/containerd/services/version/v1/version_pb.ts'
import { type Service, service } from './rpc.ts'

/** The service of the version; the revision says that this is not containerd. */
export const versionService = (): Service =>
  service(Version, { version: async () => ({ version, revision: 'orlop' }) })
