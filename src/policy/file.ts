import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { AbortOptions } from '../options.ts'
import { parsePolicy } from './parse.ts'
import { readSmall } from './sources.ts'
import type { Policy } from './types.ts'

/** Reads a policy file. @throws NOT_FOUND, PERMISSION_DENIED  it cannot be read @throws INVALID_ARGUMENT  it is not valid */
export async function loadPolicy(file: string, options: AbortOptions = {}): Promise<Policy> {
  const what = `policy ${file}`
  return parsePolicy(await readSmall(file, what, options), what)
}

/** Where policies are looked for. */
export interface PolicyPlaces {
  /** Default: the user's home directory. */
  readonly home?: string | undefined
  /** Default: `/etc/containers/policy.json`. */
  readonly system?: string | undefined
}

/**
 * The policy file of this user or machine: `~/.config/containers/policy.json` if it is there, even when it cannot be read,
 * else `/etc/containers/policy.json`; `undefined` when there is neither.
 */
export async function findPolicy({
  home = os.homedir(),
  system = '/etc/containers/policy.json',
}: PolicyPlaces = {}): Promise<string | undefined> {
  for (const file of [path.join(home, '.config/containers/policy.json'), system]) {
    if (await exists(file)) return file
  }
  return undefined
}

/** True unless the file is surely absent: what cannot be looked at must not count as no policy. */
async function exists(file: string): Promise<boolean> {
  try {
    await fs.lstat(file)
    return true
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? error.code : undefined
    return errno !== 'ENOENT' && errno !== 'ENOTDIR'
  }
}

/** The policy that accepts everything, as containerd does. */
export const acceptAnything: Policy = Object.freeze({
  default: Object.freeze([Object.freeze({ type: 'insecureAcceptAnything' as const })]),
  transports: new Map(),
})
