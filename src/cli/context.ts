import os from 'node:os'
import path from 'node:path'
import { OrlopError } from '../errors.ts'
import type { Scope } from '../runtime/runtime.ts'
import type { Store } from '../runtime/store.ts'
import type { Verbs } from '../runtime/verbs.ts'
import type { Output } from './output.ts'
import type { ProgressMode } from './progress.ts'

/** The options that every command takes. */
export interface GlobalOptions {
  readonly root?: string
  readonly namespace?: string
  readonly address?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly debug?: boolean
  readonly progress?: ProgressMode
}

/** What a command works with: where the data goes, when to stop, and the store, opened when first asked for. */
export interface Context {
  readonly out: Output
  readonly signal: AbortSignal
  readonly options: GlobalOptions
  /** The store behind `--address`, else under `--root`; the same one each time, closed when the command ends. */
  store(): Promise<Store>
  /** The verbs on the whole store. They are UNIMPLEMENTED with the `--address` of a service that is not orlop's. */
  verbs(): Promise<Verbs>
  /** The stores of `--namespace`. */
  scope(): Promise<Scope>
  /** Collects all namespaces; gives the bytes that came free, where it is known. */
  collect(): Promise<number | undefined>
  /** Ends the command with this exit code, after it has printed what it has to say. */
  fail(exitCode: number): void
}

/** Where the store lies when neither `--root` nor ORLOP_ROOT says: the user's data directory. */
export const defaultRoot = (env: NodeJS.ProcessEnv = process.env): string =>
  path.join(env.XDG_DATA_HOME || path.join(os.homedir(), '.local', 'share'), 'orlop')

/** The root that the options name. An empty one is refused: it is a script's unset variable. */
export function rootOf({ root }: GlobalOptions): string {
  if (root === '') throw new OrlopError('INVALID_ARGUMENT', '--root or ORLOP_ROOT: empty; name a directory')
  return path.resolve(root ?? defaultRoot())
}

/** The namespace that the options name; an empty one is refused as an empty root is. */
export function namespaceOf({ namespace = 'default' }: GlobalOptions): string {
  if (namespace === '')
    throw new OrlopError('INVALID_ARGUMENT', '--namespace or ORLOP_NAMESPACE: empty; name a namespace')
  return namespace
}
