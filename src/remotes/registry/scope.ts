/** What may be done with a repository; `*` is everything. */
export type Action = 'pull' | 'push' | 'delete' | '*'

/** The scope to list all repositories of a registry. */
export const catalogScope = 'registry:catalog:*'

/**
 * The scope of a token: `repository:library/busybox:pull`. A push needs `pull` and `push`; a mount `pull` of the other
 * repository in a scope of its own, behind; a deletion `delete`.
 *
 * @see distribution spec, token scope
 */
export const repositoryScope = (repository: string, ...actions: readonly Action[]): string =>
  `repository:${repository}:${actions.join(',')}`

/** The repository that the first scope of one speaks of: what a request is about, before what it needs besides. */
export const repositoryOf = (scopes: readonly string[]): string | undefined =>
  scopes.map(scope => /^repository:(.+):[^:]*$/.exec(scope)?.[1]).find(name => name !== undefined)

/** More scopes than this in one challenge are not asked for: the request would no longer fit any server. */
const maxScopes = 64

/**
 * Scopes in their one normal form: actions of the same resource merged and sorted, resources sorted, nothing twice.
 *
 * @param scopes  each may hold several, separated by spaces, as challenges have them
 */
export function normalizeScopes(scopes: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>()
  for (const scope of scopes.flatMap(text => text.split(/\s+/)).slice(0, maxScopes)) {
    const at = scope.lastIndexOf(':')
    if (scope === '') continue
    // `registry:catalog:*` and the like have the same shape; what has not is kept as it is.
    const [resource, list] = at > scope.indexOf(':') ? [scope.slice(0, at), scope.slice(at + 1)] : [scope, '']
    const known = actions.get(resource) ?? new Set()
    for (const action of list.split(',')) if (action !== '') known.add(action)
    actions.set(resource, known)
  }
  return [...actions]
    .map(([resource, known]) => (known.size > 0 ? `${resource}:${[...known].sort().join(',')}` : resource))
    .sort()
}
