const interruptions = new WeakSet<object>()

/** Marks an error of a writer: its place is gone, and whoever opens its ref again can go on from what was kept. */
export function interruption<E extends object>(error: E): E {
  interruptions.add(error)
  return error
}

/** True for what `interruption` marked. */
export const isInterruption = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && interruptions.has(error)
