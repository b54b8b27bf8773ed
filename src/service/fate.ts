/** What is known of a call that got no answer: it never left, or the service ended with it under way. */
export type Fate = 'unsent' | 'lost'

const fates = new WeakMap<object, Fate>()

/** Notes on an error what became of its call. */
export function withFate<E extends object>(error: E, fate: Fate): E {
  fates.set(error, fate)
  return error
}

/** What became of the call that an error comes from; `undefined` when the service answered it, or it was no call. */
export const fateOf = (error: unknown): Fate | undefined =>
  typeof error === 'object' && error !== null ? fates.get(error) : undefined
