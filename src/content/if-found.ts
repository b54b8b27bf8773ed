import { isNotFound } from '../errors.ts'

/** What a promise gives, or `undefined` when it was not found: what is listed may vanish at any moment. */
export async function ifFound<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
