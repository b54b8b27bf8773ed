import type { Command } from 'commander'
import type { Context } from './context.ts'

/** Adds a noun's verbs, or one verb, to a command; the context's store is only opened once a verb runs. */
export type Register = (noun: Command, context: Context) => void

/** A verb of a noun, loaded when it is named: `orlop images list` need not load the registry client. */
export interface Verb {
  /** Its name and its aliases, as its `Register` gives them to the command. */
  readonly names: readonly string[]
  load(): Promise<Register>
}
