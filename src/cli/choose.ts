import type { Writable } from 'node:stream'
import { OrlopError } from '../errors.ts'
import type { Choose } from '../remotes/registry/short-names.ts'
import { type PasswordInput, readAnswer } from './password.ts'

/**
 * Asks on a terminal which of several references is meant, until the answer is the number of one.
 *
 * @throws INVALID_ARGUMENT  an empty answer, or the end of the input
 */
export const chooseOn =
  (input: PasswordInput, output: Writable): Choose =>
  async (name, candidates, options) => {
    const lines = candidates.map((candidate, at) => `  ${at + 1}  ${candidate}\n`)
    output.write(`${name} may be\n${lines.join('')}`)
    for (;;) {
      const answer = await readAnswer(`Which one? [1-${candidates.length}] `, input, output, options)
      const text = answer.trim()
      if (text === '') throw new OrlopError('INVALID_ARGUMENT', `${name}: nothing was chosen`)
      const chosen = candidates[Number(text) - 1]
      if (chosen !== undefined) return chosen
    }
  }
