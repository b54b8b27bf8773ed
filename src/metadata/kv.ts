import type { AbortOptions } from '../options.ts'

/** One change; values are plain JSON. */
export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: unknown }
  | { readonly type: 'delete'; readonly key: string }

/** A key and its value. */
export interface Entry {
  readonly key: string
  readonly value: unknown
}

/** Which keys of a prefix, and in which direction. */
export interface RangeOptions extends AbortOptions {
  /** Only keys after this one, in the order of iteration. */
  readonly after?: string | undefined
  /** At most so many entries. */
  readonly limit?: number | undefined
  /** True: values come as the engine keeps them, JSON text that may not be JSON; for those who look for damage. */
  readonly raw?: boolean | undefined
}

/** Records as they were at one moment. */
export interface View {
  /** The value, or `undefined` when the key is absent. */
  get(key: string, options?: AbortOptions): Promise<unknown>
  /** The entries whose keys start with `prefix`, in byte order. Keys are ASCII, so it is JavaScript's order too. */
  range(prefix: string, options?: RangeOptions): AsyncIterable<Entry>
}

/** The port under all records: LevelDB, memory, or a SQL table behind four methods. */
export interface KeyValue extends AsyncDisposable {
  /** What is committed now. Later commits do not show in it; dispose it soon. */
  snapshot(): View & AsyncDisposable
  /** Applies all or nothing, in order; durable when it resolves. */
  commit(ops: readonly Op[]): Promise<void>
}
