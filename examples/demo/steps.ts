/** One command of the demo, and what must come of it. */
export interface Step {
  /** Said before the command. */
  readonly says: string
  /** What follows `orlop`. */
  readonly args: readonly string[]
  /** The exit code that it must have; default 0. */
  readonly exits?: number
  /** What its stdout must hold. */
  readonly prints?: RegExp
}

/** What `orlop images check` answers when something is missing; see docs/errors.md. */
const incomplete = 4

/**
 * The main job from end to end: pull one platform, look, pull the rest, look again, tag, delete.
 *
 * @param image  a reference with at least two platforms, `platform` among them
 */
export function steps(image: string, platform: string): readonly Step[] {
  const copy = 'localhost/demo/copy:kept'
  return [
    {
      says: 'Pull one platform of an image.',
      args: ['images', 'pull', '--platform', platform, image],
    },
    { says: 'See what is there.', args: ['images', 'list'], prints: literally(image) },
    {
      says: 'What was asked for is complete.',
      args: ['images', 'check', '--platform', platform, image],
      prints: /complete/,
    },
    {
      says: `The image as a whole is not, and that is said plainly (with exit code ${incomplete}).`,
      args: ['images', 'check', '--all-platforms', image],
      exits: incomplete,
      prints: /partial|missing/,
    },
    {
      says: 'Pull the rest. What is here already is not fetched again.',
      args: ['images', 'pull', '--all-platforms', image],
    },
    {
      says: 'Now it is whole, and each byte is what its digest says.',
      args: ['images', 'check', '--all-platforms', '--deep', image],
      prints: /complete/,
    },
    { says: 'How big is it?', args: ['images', 'size', '--all-platforms', image], prints: /\d/ },
    {
      says: 'Which platforms does it offer?',
      args: ['images', 'platforms', image],
      prints: literally(platform),
    },
    { says: 'Give it another name.', args: ['images', 'tag', image, copy], prints: literally(copy) },
    { says: 'Two names, one content.', args: ['images', 'list', '--quiet'], prints: literally(copy) },
    { says: 'Delete the first name. The other keeps every blob.', args: ['images', 'delete', image] },
    {
      says: 'The copy is still whole.',
      args: ['images', 'check', '--all-platforms', copy],
      prints: /complete/,
    },
  ]
}

/** What to know after the last step. */
export const epilogue =
  'Deleting names never deletes blobs by itself: what no name refers to is removed by a collection.'

const literally = (text: string): RegExp => new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
