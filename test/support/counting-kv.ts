import type { KeyValue, Op, View } from '../../src/metadata/kv.ts'
import { MemoryKeyValue } from '../../src/metadata/memory-kv.ts'

/** An engine that writes down its commits, and whose next calls fail or wait as a test wants. */
export class CountingKeyValue implements KeyValue {
  readonly commits: Array<readonly Op[]> = []
  /** Thrown by the next commit, once. */
  commitError: Error | undefined
  /** Thrown by the next snapshot, once. */
  snapshotError: Error | undefined
  /** Commits wait for it. */
  gate: Promise<void> = Promise.resolve()
  closed = 0
  readonly #kv = new MemoryKeyValue()

  snapshot(): View & AsyncDisposable {
    const error = this.snapshotError
    this.snapshotError = undefined
    if (error !== undefined) throw error
    return this.#kv.snapshot()
  }

  async commit(ops: readonly Op[]): Promise<void> {
    await this.gate
    const error = this.commitError
    this.commitError = undefined
    if (error !== undefined) throw error
    this.commits.push(ops)
    await this.#kv.commit(ops)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed++
    await this.#kv[Symbol.asyncDispose]()
  }
}
