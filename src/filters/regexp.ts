import type { CharTest } from './regexp-class.ts'
import { type Assertion, type Node, PatternError } from './regexp-node.ts'
import { PatternParser } from './regexp-parser.ts'

/** Longer patterns match nothing. */
export const maxPatternLength = 4096

/** Patterns that need more steps than this, as `(a{500}){2}` repeated, match nothing. */
const maxSteps = 4000

/** Steps of the pattern times characters of the text: about five seconds' work. Beyond it nothing is found. */
const maxWork = 64_000_000

type Step =
  | { readonly op: 'char'; readonly test: CharTest }
  | { readonly op: 'assert'; readonly holds: Assertion }
  | { readonly op: 'split'; readonly to: number; readonly or: number }
  | { readonly op: 'jump'; readonly to: number }
  | { readonly op: 'found' }

/**
 * A test whether `pattern`, in RE2's syntax, is found anywhere in a text.
 *
 * Filters come from clients, and JavaScript's own engine can take for ever over a pattern such as `(a+)+$`. This one
 * walks all alternatives at once, so its time is at most the size of the pattern times the length of the text. A
 * pattern that is not RE2's (look-around and back references among them) matches nothing, as in containerd; nor does
 * one of over 4096 characters or 4000 steps, or one whose steps times the length of the text exceed 64 million.
 */
export function searcher(pattern: string): (text: string) => boolean {
  const program = compile(pattern)
  return program === undefined
    ? () => false
    : text => program.length * text.length <= maxWork && search(program, text)
}

const compile = (pattern: string): readonly Step[] | undefined => {
  if (pattern.length > maxPatternLength) return undefined
  try {
    const program: Step[] = []
    emit(new PatternParser(pattern).parse(), program)
    return [...program, { op: 'found' }]
  } catch (error) {
    if (error instanceof PatternError) return undefined
    throw error
  }
}

const emit = (node: Node, program: Step[]): void => {
  if (program.length > maxSteps) throw new PatternError('too large')
  switch (node.kind) {
    case 'char':
      program.push({ op: 'char', test: node.test })
      break
    case 'assert':
      program.push({ op: 'assert', holds: node.holds })
      break
    case 'concat':
      for (const item of node.items) emit(item, program)
      break
    case 'alternate':
      emitAlternatives(node.items, program)
      break
    case 'repeat':
      for (let count = 0; count < node.min; count++) emit(node.item, program)
      if (node.max === Number.POSITIVE_INFINITY) emitLoop(node.item, program)
      else emitOptional(node.item, node.max - node.min, program)
  }
}

/** Puts a step where one has been kept free by `hole`. */
const hole = (program: Step[]): number => program.push({ op: 'found' }) - 1

const emitAlternatives = (items: readonly Node[], program: Step[]): void => {
  const exits: number[] = []
  for (const [index, item] of items.entries()) {
    const last = index === items.length - 1
    const fork = last ? undefined : hole(program)
    emit(item, program)
    if (fork === undefined) break
    exits.push(hole(program))
    program[fork] = { op: 'split', to: fork + 1, or: program.length }
  }
  for (const exit of exits) program[exit] = { op: 'jump', to: program.length }
}

const emitLoop = (item: Node, program: Step[]): void => {
  const fork = hole(program)
  emit(item, program)
  program.push({ op: 'jump', to: fork })
  program[fork] = { op: 'split', to: fork + 1, or: program.length }
}

const emitOptional = (item: Node, times: number, program: Step[]): void => {
  const forks: number[] = []
  for (let count = 0; count < times; count++) {
    forks.push(hole(program))
    emit(item, program)
  }
  for (const fork of forks) program[fork] = { op: 'split', to: fork + 1, or: program.length }
}

const search = (program: readonly Step[], text: string): boolean => {
  let waiting: number[] = []
  const seen = new Uint32Array(program.length)
  let before: number | undefined
  for (let at = 0, round = 1; ; round++) {
    const after = text.codePointAt(at)
    const reached = closure(program, [...waiting, 0], seen, round, before, after)
    if (reached === undefined) return true
    if (after === undefined) return false
    waiting = []
    for (const place of reached) {
      const step = program[place]
      if (step?.op === 'char' && step.test(after)) waiting.push(place + 1)
    }
    before = after
    at += after > 0xffff ? 2 : 1
  }
}

/** Where one can stand without taking a character; `undefined` when that includes the end of the pattern. */
const closure = (
  program: readonly Step[],
  starts: number[],
  seen: Uint32Array,
  round: number,
  before: number | undefined,
  after: number | undefined,
): readonly number[] | undefined => {
  const reached: number[] = []
  for (let place = starts.pop(); place !== undefined; place = starts.pop()) {
    if (seen[place] === round) continue
    seen[place] = round
    const step = program[place]
    if (step === undefined || step.op === 'found') return undefined
    if (step.op === 'char') reached.push(place)
    else if (step.op === 'split') starts.push(step.or, step.to)
    else if (step.op === 'jump') starts.push(step.to)
    else if (step.holds(before, after)) starts.push(place + 1)
  }
  return reached
}
