/**
 * The keys that updates put from the moment it was opened; see `Database.journal`.
 *
 * A key is told as soon as the update that put it has run, so an update sees what those before it in its batch have put,
 * which no snapshot shows yet. Should the batch fail, a key is told that was not put: a reader must bear that.
 */
export class Journal implements Disposable {
  readonly #keys = new Set<string>()
  readonly #close: () => void

  /** @param close  runs when it is disposed */
  constructor(close: () => void) {
    this.#close = close
  }

  /** Notes a key; the database's to call. */
  note(key: string): void {
    this.#keys.add(key)
  }

  /** The keys that were put since the last call, each once. */
  take(): readonly string[] {
    const keys = [...this.#keys]
    this.#keys.clear()
    return keys
  }

  [Symbol.dispose](): void {
    this.#close()
  }
}
