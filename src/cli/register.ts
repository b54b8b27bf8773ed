import type { Command } from 'commander'
import type { Context } from './context.ts'

/** Adds a noun's verbs, or one verb, to a command; the context's store is only opened once a verb runs. */
export type Register = (noun: Command, context: Context) => void
