/**
 * Registries, and the way of images to and from them.
 *
 * Where a registry is, `RegistryResolver` is told by a `Hosts`: `defaultHosts`, each registry as its own host, unless
 * another is given; `configuredHosts` reads registries.conf, hosts.toml and certs.d, as the command line does.
 *
 * A `Resolver` turns a reference into a descriptor and into a `Fetcher`, which is a `Provider` as any other; so
 * `copyGraph` brings an image from a registry into a store, or from anywhere to anywhere, leaves first. A manifest is
 * checked before it is given out; layers are not, the store that takes them does that.
 *
 * Nothing here names images or takes leases; `orlop/runtime` does.
 */
export { type CopyGraphOptions, copyGraph } from './copy.ts'
export {
  distributionSourceKey,
  distributionSources,
  labelDistributionSource,
  withDistributionSource,
} from './distribution-source.ts'
export {
  type BlobEvent,
  type OnProgress,
  type ProgressEvent,
  ProgressTotals,
  type ResolveEvent,
  type RetryEvent,
  type ThrottleEvent,
  type Totals,
} from './progress.ts'
export {
  type ConfiguredHostsOptions,
  certsDirectories,
  configuredHosts,
} from './registry/configured-hosts.ts'
export type { ClientCertificate, Connection } from './registry/connection.ts'
export type { Credential, CredentialOptions, Credentials } from './registry/credential.ts'
export type { CredentialFilesOptions } from './registry/credential-files.ts'
export type { HelperOptions } from './registry/credential-helper.ts'
export {
  credentialFor,
  type DockerCredentialsOptions,
  dockerCredentials,
  firstCredential,
  noCredentials,
  type StoredCredentialsOptions,
  storedCredentials,
} from './registry/credentials.ts'
export { RegistryError, type RegistryErrorItem } from './registry/error.ts'
export type { FetchReport } from './registry/fetch-report.ts'
export type { RateBudget } from './registry/host-limits.ts'
export {
  type Capability,
  defaultHost,
  defaultHosts,
  type Host,
  type Hosts,
  type HostsOptions,
  type Place,
} from './registry/hosts.ts'
export { hostsInDirectory } from './registry/hosts-directory.ts'
export type { HttpTrace } from './registry/http-trace.ts'
export { type InsecureOptions, withInsecure } from './registry/insecure-hosts.ts'
export { type LoginKey, parseLoginKey } from './registry/login-key.ts'
export {
  type LoginStoreOptions,
  removeAllLogins,
  removeLogin,
  saveLogin,
} from './registry/login-store.ts'
export type { ParallelRanges } from './registry/parallel.ts'
export { RateLimits, type RateLimitsOptions, type RateOptions } from './registry/rate.ts'
export type { Mirror, PullFromMirror, Registry, ShortNameMode } from './registry/registries-conf.ts'
export {
  type ConfiguredRegistry,
  type Registries,
  type RegistriesOptions,
  readRegistries,
} from './registry/registries-files.ts'
export { hostsByRegistries } from './registry/registries-hosts.ts'
export { findRegistry, type PullSource, pullSources } from './registry/registries-match.ts'
export { RegistryResolver, type RegistryResolverOptions } from './registry/resolver.ts'
export type { RetryPolicy } from './registry/retry.ts'
export { type ShortName, shortNameOf } from './registry/short-name.ts'
export { aliasesFile, readAliases, recordAlias } from './registry/short-name-aliases.ts'
export {
  type Choose,
  localNames,
  type ResolvedName,
  resolveShortName,
  type ShortNameOptions,
} from './registry/short-names.ts'
export { RegistrySignatures, type RegistrySignaturesOptions } from './registry/signatures.ts'
export type {
  FetchedManifest,
  Fetcher,
  ListOptions,
  Pusher,
  PusherOptions,
  ReferrersOptions,
  RemoteRepository,
  Remover,
  Resolver,
  WritingResolver,
} from './types.ts'
