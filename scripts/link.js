import { createHash } from 'node:crypto'
import { isBuiltin } from 'node:module'
import path from 'node:path'

/** Bytes that the launcher reads at first; the index must be in them. */
const headSize = 16 * 1024

/**
 * Makes one file of esbuild's chunks, which are ES modules that import each other:
 *
 *     //{"sum":"…","commands":{"images":"images",…},"chunks":[[offset,length,line],…]}
 *     (function($,require){"use strict";
 *     const {a:b}=$(3);const fs=require("node:fs");…
 *     return {c,d:e};
 *     });
 *     (function …
 *
 * The sum is that of the chunks; the launcher keeps their compiled code under it.
 *
 * `$(n)` gives the exports of chunk n and `$.later(n)` a promise of them; the first chunk is that of `main`. Imports of
 * Node's modules and of packages become calls of `require`, without what esbuild's own conversion does, which is to copy all
 * properties of a module for each import of it: a third of the time that `orlop version` took.
 *
 * An import is taken for a constant, as it is but for bindings that are set again after their module has run; a chunk that
 * exports one is refused.
 */
export function link({ outputs, texts, main, commands }) {
  const order = inOrder(outputs, main)
  const ids = new Map(order.map((file, at) => [file, at]))
  const sources = order.map(file =>
    convert({ file, text: texts.get(file), ids, inputs: outputs[file].inputs }),
  )
  const sum = createHash('sha256').update(sources.join('')).digest('hex').slice(0, 16)
  // The index stands before what it tells of, so its own length is settled first.
  const indexOf = start => {
    let offset = start
    let line = 1
    const chunks = sources.map(source => {
      const chunk = [offset, source.length, line]
      offset += source.length
      line += source.split('\n').length - 1
      return chunk
    })
    return `//${JSON.stringify({ sum, commands, chunks })}`
  }
  const bytes = indexOf(9_999_999).length + 1
  if (bytes > headSize)
    throw new Error(`the bundle's index has ${bytes} bytes; the launcher reads ${headSize}`)
  return `${indexOf(bytes).padEnd(bytes - 1)}\n${sources.join('')}`
}

/** Every chunk that can be reached, `main` first. */
function inOrder(outputs, main) {
  const found = new Set([main])
  for (const file of found) {
    for (const one of outputs[file].imports) if (!one.external) found.add(one.path)
  }
  for (const file of found) refuseCycle(outputs, file, [])
  return [...found]
}

/** A chunk that waits for itself would be given half of its imports. */
function refuseCycle(outputs, file, above, done = new Set()) {
  if (above.includes(file)) throw new Error(`chunks import each other: ${[...above, file].join(' → ')}`)
  if (done.has(file)) return
  done.add(file)
  for (const { path: to, kind, external } of outputs[file].imports) {
    if (!external && kind === 'import-statement') refuseCycle(outputs, to, [...above, file], done)
  }
}

function convert({ file, text, ids, inputs }) {
  const idOf = to => ids.get(path.join(path.dirname(file), to))
  const exported = []
  const body = text
    .replace(/^import (?:([^"]+) from )?"([^"]+)";$/gm, (_, names, from) => {
      const id = idOf(from)
      const value = id === undefined ? `require(${JSON.stringify(from)})` : `$(${id})`
      return names === undefined ? `${value};` : bindings(names, value, id === undefined, from)
    })
    .replace(/^export \{([^}]*)\};$/gm, (_, names) => {
      for (const { outside, inside } of pairs(names)) exported.push([outside, inside])
      return ''
    })
    .replace(/\bimport\("([^"]+)"\)/g, (_, from) => {
      const id = idOf(from)
      return id === undefined
        ? `Promise.resolve().then(() => require(${JSON.stringify(from)}))`
        : `$.later(${id})`
    })
    // What esbuild writes before each module. Other lines that are empty stand in texts.
    .replace(/^\n?\/\/ (.*)\n/gm, (line, input) => (Object.hasOwn(inputs, input) ? '' : line))
  if (/^(?:import|export)\b/m.test(body))
    throw new Error(`${file}: an import or export of a form that is not known`)
  for (const [, name] of exported) refuseVariable(file, body, name)
  const result = exported.map(([outside, inside]) => (outside === inside ? outside : `${outside}: ${inside}`))
  return ascii(`(function ($, require) {"use strict";\n${body}return { ${result.join(', ')} };\n});\n`)
}

/** `{ a as b }`, `* as all` or `whole` of an import as declarations. */
function bindings(names, value, isRequired, from) {
  const [, list] = /^\{([^}]*)\}$/.exec(names) ?? []
  if (list !== undefined) {
    const fields = pairs(list).map(({ outside, inside }) =>
      outside === inside ? inside : `${inside}: ${outside}`,
    )
    return `const { ${fields.join(', ')} } = ${value};`
  }
  const [, whole] = /^(?:\* as )?([\w$]+)$/.exec(names) ?? []
  // What the default of a package is depends on how it was made.
  if (whole === undefined || !isRequired || !isBuiltin(from))
    throw new Error(`import ${names} from ${from}: name what you import`)
  return `const ${whole} = ${value};`
}

/** `a, b as c`, in which `as` renames to what stands behind it. */
const pairs = names =>
  names
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
    .map(name => {
      const [inside, outside = inside] = name.split(/\s+as\s+/)
      return { inside, outside }
    })

/** Others have a copy of a binding, made when its chunk had run. */
function refuseVariable(file, body, name) {
  const escaped = name.replaceAll('$', '\\$')
  const inner = new RegExp(`^ +${escaped} *(?:[-+*/|&^%?]{0,3}=(?![=>])|\\+\\+|--)`, 'm')
  if (inner.test(body)) throw new Error(`${file}: ${name} is exported and set again`)
}

/**
 * The launcher counts in bytes and reads Latin-1, which needs no decoding. esbuild writes other characters as escapes, but
 * not those in regular expressions and comments.
 */
const ascii = text =>
  text.replace(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
