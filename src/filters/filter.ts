import { parseSelectors, type Selector } from './parser.ts'
import { searcher } from './regexp.ts'

/** Looks a field up by its path, such as `['target', 'digest']`; `undefined` when it is absent or not known. */
export type Fields = (path: readonly string[]) => string | undefined

/** True when what lies behind the fields is wanted. */
export type Filter = (fields: Fields) => boolean

/**
 * containerd's filters: a record passes when one of `filters` does, and that one when all its selectors do.
 *
 *     name==alpine,labels."containerd.io/gc.root"      that name, and a label by that key
 *     target.digest~=/^sha256:0a/                      a regular expression, found anywhere unless anchored
 *
 * No filter, or an empty one, lets everything pass. `!=` holds for a field that is absent; `~=` takes it for `''`. A
 * regular expression that is not one lets nothing pass, and is no error.
 *
 * @throws INVALID_ARGUMENT  a filter that cannot be read; see `parseSelectors` for the grammar
 * @see containerd pkg/filters/filter.go
 */
export function parseFilters(filters: readonly string[] = []): Filter {
  if (filters.length === 0) return () => true
  const alternatives = filters.map(text => parseSelectors(text).map(test))
  return fields => alternatives.some(tests => tests.every(holds => holds(fields)))
}

const test = ({ path, operator, value }: Selector): Filter => {
  switch (operator) {
    case 'present':
      return fields => fields(path) !== undefined
    case '==':
      return fields => fields(path) === value
    case '!=':
      return fields => (fields(path) ?? '') !== value
    case '~=': {
      const found = searcher(value)
      return fields => found(fields(path) ?? '')
    }
  }
}

/**
 * The label that `labels.a.b` means: that with the key `a.b`.
 *
 * @param rest  the path behind `labels`
 */
export function labelField(
  labels: Readonly<Record<string, string>> | undefined,
  rest: readonly string[],
): string | undefined {
  const key = rest.join('.')
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined
}
