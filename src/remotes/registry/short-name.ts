import { OrlopError } from '../../errors.ts'
import { asString } from '../../oci/json.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'

/** A name without a registry: `busybox`, `team/tool:1`; its repository, and what was behind it. */
export interface ShortName extends Pick<Reference, 'tag' | 'digest'> {
  /** `busybox`, `team/tool` */
  readonly repository: string
}

/**
 * The parts of a short name, or `undefined` when the name says its registry: when what stands before the first `/` has a
 * `.` or `:` or is `localhost`.
 *
 * @throws INVALID_ARGUMENT  not a reference
 */
export function shortNameOf(text: string): ShortName | undefined {
  const { domain, path, tag, digest } = parseReference(text)
  if (domain !== 'docker.io' || saysRegistry(text)) return undefined
  const repository = text.split(/[:@]/, 1)[0] === path ? path : path.replace(/^library\//, '')
  return { repository, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }
}

/** True when a name begins with a registry. */
const saysRegistry = (text: string): boolean => {
  const [first = '', ...more] = text.split('/')
  return more.length > 0 && (/[.:]/.test(first) || first === 'localhost')
}

/**
 * An entry of `[aliases]`, checked: a short name without tag and digest, and a repository with its registry, also without;
 * or `''`, which takes the alias away.
 *
 * @throws INVALID_ARGUMENT  one of the two is not
 */
export function checkAlias(name: string, value: unknown): readonly [name: string, repository: string] {
  const refuse = (why: string): never => {
    throw new OrlopError('INVALID_ARGUMENT', `aliases.${JSON.stringify(name)}: ${why}`)
  }
  const short = attempt(() => shortNameOf(name))
  if (short?.repository !== name) return refuse('expected a name without registry, tag and digest')
  const repository = asString(value, `aliases.${JSON.stringify(name)}`)
  if (repository === '') return [name, '']
  const full = saysRegistry(repository) ? attempt(() => parseReference(repository)) : undefined
  if (!full || full.tag !== undefined || full.digest !== undefined)
    return refuse(
      `${JSON.stringify(repository)} is not a repository with its registry, without tag and digest`,
    )
  return [name, repository]
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
