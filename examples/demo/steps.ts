/** One command of the demo, and what must come of it. */
export interface Step {
  /** Said before the command. */
  readonly says: string
  /** What follows `orlop`. */
  readonly args: readonly string[]
  /** The exit codes that it may have; default 0 alone. */
  readonly exits?: readonly number[]
  /** What its stdout must hold. */
  readonly prints?: RegExp
}

/** What `orlop images check` answers when something is missing; see docs/errors.md. */
const incomplete = 4

/** What the steps are about. */
export interface Subject {
  readonly image: string
  /** One that the image offers. */
  readonly platform: string
  /** True when the image is known to offer others as well. */
  readonly hasMore: boolean
  /** True when the store is the demo's own, and goes with it. */
  readonly ownsStore: boolean
}

/** The main job from end to end: pull one platform, look, pull the rest, look again, tag, delete, collect. */
export function steps({ image, platform, hasMore, ownsStore }: Subject): readonly Step[] {
  const copy = 'localhost/demo/copy:kept'
  return [
    {
      says: 'Pull one platform of an image.',
      args: ['images', 'pull', '--platform', platform, image],
    },
    { says: 'See what is there.', args: ['images', 'list'], prints: literally(nameOf(image)) },
    {
      says: 'What was asked for is complete.',
      args: ['images', 'check', '--platform', platform, image],
      prints: / complete /,
    },
    {
      says: `What else the image offers is not here; asked for all of it, the exit code is ${incomplete}.`,
      args: ['images', 'check', '--all-platforms', image],
      exits: hasMore ? [incomplete] : [0, incomplete],
      prints: hasMore ? / missing / : / complete /,
    },
    {
      says: 'Pull the rest. What is here already is not fetched again.',
      args: ['images', 'pull', '--all-platforms', image],
    },
    {
      says: 'Now it is whole, and each byte is what its digest says.',
      args: ['images', 'check', '--all-platforms', '--deep', image],
      prints: / complete /,
    },
    {
      says: 'How big is one platform of it?',
      args: ['images', 'size', '--platform', platform, image],
      prints: literally(platform),
    },
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
      prints: / complete /,
    },
    ...(ownsStore ? collection(copy) : []),
  ]
}

/** Only in a store of the demo's own: a collection takes all that nothing keeps, whoever put it there. */
const collection = (copy: string): readonly Step[] => [
  {
    says: 'A collection would remove nothing, for a name keeps it all.',
    args: ['gc', 'plan'],
    prints: /^0 to remove/m,
  },
  { says: 'Delete the last name.', args: ['images', 'delete', copy] },
  {
    says: 'Now the blobs may go. The plan says which, and why.',
    args: ['gc', 'plan'],
    prints: / no reference$/m,
  },
  { says: 'Collect them.', args: ['gc', 'run'], prints: /^on disk: [1-9]/m },
  { says: 'Nothing is left of the content.', args: ['content', 'list', '--quiet'], prints: /^$/ },
]

/** What to know after the last step. */
export const epilogue = 'Deleting names frees no space by itself; a collection does: see "orlop gc --help".'

// `busybox` is listed as docker.io/library/busybox:latest.
const nameOf = (image: string): string => image.replace(/.*\//, '').replace(/[:@].*/, '')

const literally = (text: string): RegExp => new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
