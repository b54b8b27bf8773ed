/**
 * Filters: containerd's language for picking records.
 *
 * `orlop images list 'name~=alpine,labels."app/tier"==web'` and every list call of the services take these texts. A
 * noun says which fields it has with a `Fields` function; `parseFilters` turns the texts into one test over them:
 *
 *     const wanted = parseFilters(['name==alpine', 'labels.keep'])
 *     wanted(([head, ...rest]) => (head === 'name' ? name : head === 'labels' ? labelField(labels, rest) : undefined))
 *
 * Texts are alternatives, commas inside one join conditions that must all hold. Regular expressions are RE2's.
 */
export { type Fields, type Filter, labelField, parseFilters } from './filter.ts'
export { type Operator, parseSelectors, type Selector } from './parser.ts'
