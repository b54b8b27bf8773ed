import test from 'ava'
import fc from 'fast-check'
import { isOrlopError } from '../../../src/errors.ts'
import { decodeEntry, encodeEntry } from '../../../src/remotes/registry/credential-entry.ts'

test('decodeEntry() reads back what encodeEntry() writes, whatever user and password are', t => {
  const name = fc.string({ minLength: 1 }).filter(text => !text.includes(':') && !text.includes('\0'))
  const password = fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\0'))
  fc.assert(
    fc.property(name, password, fc.jsonValue(), (username, secret, before) => {
      const entry = encodeEntry(before, username, secret)
      t.deepEqual(decodeEntry(entry, 'here'), { username, password: secret, source: 'here' })
    }),
  )
})

test('decodeEntry() takes any JSON, and fails in words that quote none of it', t => {
  const secret = fc.constantFrom(
    'hunter2',
    'hunter2!',
    btoa('hunter2'),
    btoa(':hunter2'),
    btoa('u:p'),
    ':',
    '',
  )
  const value = fc.oneof(secret, fc.jsonValue())
  const entry = fc.oneof(
    fc.jsonValue(),
    fc.record(
      { auth: value, username: value, password: value, identitytoken: value, registrytoken: value },
      { requiredKeys: [] },
    ),
  )
  fc.assert(
    fc.property(entry, json => {
      try {
        const found = decodeEntry(json, 'here')
        if (found) t.is(found.source, 'here')
      } catch (error) {
        t.true(isOrlopError(error))
        t.false(String(error).includes('hunter2'))
        t.false(String(error).includes(btoa('hunter2')))
      }
    }),
  )
})
