import test from 'ava'
import { Command } from 'commander'
import type { Context } from '../../src/cli/context.ts'
import { commandNames, nouns, registersOf } from '../../src/cli/nouns.ts'
import { createOutput } from '../../src/cli/output.ts'

/** For commands that are added and not run. */
const context: Context = {
  out: createOutput(process.stdout, process.stderr),
  signal: new AbortController().signal,
  options: {},
  store: () => Promise.reject(new Error('not run')),
  verbs: () => Promise.reject(new Error('not run')),
  scope: () => Promise.reject(new Error('not run')),
  collect: () => Promise.reject(new Error('not run')),
  fail: () => undefined,
}

const namesIn = (noun: Command): readonly (readonly string[])[] =>
  noun.commands.map(verb => [verb.name(), ...verb.aliases()])

for (const noun of nouns) {
  const { name, has } = noun
  if (typeof has === 'function') continue
  test(`each verb of ${name} is loaded by the names that it has`, async t => {
    for (const { names } of has) {
      for (const word of names) {
        const command = new Command(name)
        for (const register of await registersOf(noun, word)) register(command, context)
        t.deepEqual(namesIn(command), [names])
      }
    }
  })
  test(`all verbs of ${name} are loaded by any other word`, async t => {
    for (const word of [undefined, 'help', '--help', 'toString']) {
      const command = new Command(name)
      for (const register of await registersOf(noun, word)) register(command, context)
      t.deepEqual(
        namesIn(command),
        has.map(({ names }) => names),
      )
    }
  })
}

test('commandNames() has nouns and verbs under all their names', t => {
  const names = commandNames()
  t.is(names['i ls'], 'images-list')
  t.is(names['image list'], 'images-list')
  t.is(names.fsck, 'check')
  t.is(names['version list'], undefined)
  for (const name of Object.values(names)) t.regex(name, /^[a-z-]+$/)
})
