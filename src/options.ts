/** Every call that does I/O takes one of these as the base of its last argument. */
export interface AbortOptions {
  /** Stops the call; it then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}
