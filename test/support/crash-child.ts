import fs from 'node:fs'
import { isAlreadyExists, isNotFound } from '../../src/errors.ts'
import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver } from '../../src/remotes/registry/resolver.ts'
import { pull } from '../../src/runtime/pull.ts'
import { Runtime, type Scope } from '../../src/runtime/runtime.ts'
import { tag } from '../../src/runtime/tag.ts'
import { randomBytes } from './bytes.ts'
import type { CrashWord } from './crash-model.ts'
import { seededRandom } from './random.ts'

/**
 * A program that pulls, commits, tags, deletes and collects at random until it is killed. It says what it is about to do
 * that changes or removes things, and what is done.
 */
const [, , root = '', host = '', seed = '0', images = '1'] = process.argv
const random = seededRandom(Number(seed))
const pick = (count: number): number => Math.floor(random() * count)
// Written at once: what was said was said when the kill comes.
const say = (word: CrashWord): void => void fs.writeSync(1, `${JSON.stringify(word)}\n`)

const runtime = await Runtime.open({ root })
const resolver = new RegistryResolver({ credentials: noCredentials })
const scopes = ['one', 'two'].map(namespace => runtime.scope(namespace))
const scope = (): Scope => scopes[pick(scopes.length)] ?? runtime.scope()

/** Names that several works want at a time would make it unknown who was last. */
const busy = new Set<string>()
const alone = async (key: string, work: () => Promise<void>): Promise<void> => {
  if (busy.has(key)) return
  busy.add(key)
  try {
    await work()
  } finally {
    busy.delete(key)
  }
}

const pullOne = async (to: Scope): Promise<void> => {
  const name = `app-${pick(4)}`
  await alone(`${to.namespace} ${name}`, async () => {
    const reference = `${host}/app:${pick(Number(images))}`
    const { digest } = await resolver.resolve(reference)
    say({ about: 'image', namespace: to.namespace, name, digest })
    await pull({ resolver, scope: to }, reference, { name })
    say({ done: 'image', namespace: to.namespace, name, digest })
  })
}

const commitOne = async (to: Scope): Promise<void> => {
  const lease = `lease-${pick(3)}`
  await alone(`${to.namespace} ${lease}`, async () => {
    await to.leases.create({ id: lease }).catch(unless(isAlreadyExists))
    const bytes = randomBytes(pick(1000), 1 + pick(300_000))
    try {
      await using writer = await to.under(lease).content.writer({ ref: `ref-${pick(20)}` })
      await writer.reset()
      for (let at = 0; at < bytes.length; at += 40_000) await writer.write(bytes.subarray(at, at + 40_000))
      const digest = await writer.commit()
      say({ done: 'blob', namespace: to.namespace, lease, digest })
    } catch (error) {
      // Somebody else writes to that ref, or the same bytes are there.
      if (!isAlreadyExists(error) && !isBusy(error)) throw error
    }
  })
}

const dropLease = async ({ namespace, leases }: Scope): Promise<void> => {
  const lease = `lease-${pick(3)}`
  await alone(`${namespace} ${lease}`, async () => {
    say({ about: 'lease gone', namespace, lease })
    await leases.delete(lease).catch(unless(isNotFound))
  })
}

const deleteImage = async ({ namespace, images: records }: Scope): Promise<void> => {
  const name = `app-${pick(4)}`
  await alone(`${namespace} ${name}`, async () => {
    say({ about: 'image', namespace, name })
    await records.delete(name).catch(unless(isNotFound))
    say({ done: 'image', namespace, name })
  })
}

const tagOne = async ({ namespace, images: records }: Scope): Promise<void> => {
  const [from, to] = [`app-${pick(4)}`, `app-${pick(4)}`]
  if (from === to) return
  await alone(`${namespace} ${from}`, () =>
    alone(`${namespace} ${to}`, async () => {
      const image = await records.get(from).catch(unless(isNotFound))
      if (!image) return
      const { digest } = image.target
      say({ about: 'image', namespace, name: to, digest })
      await tag(records, image, to, { force: true })
      say({ done: 'image', namespace, name: to, digest })
    }),
  )
}

const collect = async (): Promise<void> => void (await runtime.gc.collect())

const unless =
  (isFine: (error: unknown) => boolean) =>
  (error: unknown): undefined => {
    if (!isFine(error)) throw error
  }

const isBusy = (error: unknown): boolean =>
  error instanceof Error && /another writer has held it|was aborted/.test(error.message)

const works = [pullOne, pullOne, pullOne, commitOne, commitOne, dropLease, deleteImage, tagOne, collect]

const worker = async (): Promise<never> => {
  for (;;) await works[pick(works.length)]?.(scope())
}

say({ done: 'opened' })
await Promise.all([worker(), worker(), worker()])
