import fs from 'node:fs/promises'
import path from 'node:path'
import { isAlreadyExists, isOrlopError } from '../../src/errors.ts'
import { check } from '../../src/images/check.ts'
import { type Digest, digestOf } from '../../src/oci/digest.ts'
import { noCredentials } from '../../src/remotes/registry/credentials.ts'
import { RegistryResolver } from '../../src/remotes/registry/resolver.ts'
import { checkStore, repairStore } from '../../src/runtime/fsck.ts'
import { pull } from '../../src/runtime/pull.ts'
import { Runtime } from '../../src/runtime/runtime.ts'
import { randomBytes } from './bytes.ts'
import { type Fault, type FaultPoint, FaultyFileSystem, faultPoints } from './faults.ts'

/**
 * A program that does one operation again and again, each time with another call to the file system failing, and looks at
 * the store after each. Prints one JSON document: the number of faults that happened, and what was wrong.
 */
const [, , directory = '', host = '', operation = ''] = process.argv
const resolver = new RegistryResolver({ credentials: noCredentials })
const faulty = await FaultyFileSystem.install(directory)
const errnos = ['ENOSPC', 'EIO', 'EMFILE'] as const
const wrong: string[] = []
const codes: Record<string, number> = {}
let happened = 0

/** Another root for each fault: what was there before the operation is made without any. */
const operations: Record<
  string,
  { before(r: Runtime): Promise<unknown>; run(r: Runtime): Promise<unknown> }
> = {
  commit: {
    before: async () => undefined,
    run: async runtime => {
      const { content } = runtime.scope()
      await using writer = await content.writer({ ref: 'ref', expected: { size: bytes.length } })
      if (writer.offset > 0) await writer.reset()
      for (let at = 0; at < bytes.length; at += 50_000) await writer.write(bytes.subarray(at, at + 50_000))
      await writer.commit({ digest: digestOf(bytes) })
    },
  },
  'small commit': {
    before: async () => undefined,
    run: async runtime => {
      const small = bytes.subarray(0, 1000)
      await using writer = await runtime.scope().content.writer({ ref: 'ref', expected: { size: 1000 } })
      if (writer.offset > 0) await writer.reset()
      await writer.write(small)
      await writer.commit({ digest: digestOf(small) })
    },
  },
  pull: {
    before: async () => undefined,
    run: runtime => pull({ resolver, scope: runtime.scope() }, `${host}/app:1`, { concurrency: 1 }),
  },
  collect: {
    before: async runtime => {
      const { images } = runtime.scope()
      const { image } = await pull({ resolver, scope: runtime.scope() }, `${host}/app:1`)
      await pull({ resolver, scope: runtime.scope() }, `${host}/other:1`)
      await images.delete(image.name)
    },
    run: runtime => runtime.gc.collect(),
  },
  repair: {
    before: async runtime => {
      const { image } = await pull({ resolver, scope: runtime.scope() }, `${host}/app:1`)
      const { present } = await check(runtime.scope().disk, image.target)
      for (const { digest } of present.slice(-1)) {
        const file = path.join(runtime.root, 'content/blobs', digest.replace(':', '/'))
        const damaged = await fs.readFile(file)
        damaged[0] = (damaged[0] ?? 0) ^ 1
        await fs.chmod(file, 0o644)
        await fs.writeFile(file, damaged)
      }
    },
    run: async runtime => {
      const { findings } = await checkStore(runtime)
      const { repaired } = await repairStore(runtime, findings, { resolver })
      const failed = repaired.find(({ outcome }) => outcome === 'failed')
      if (failed) throw Object.assign(new Error(failed.detail), { reported: true })
    },
  },
}

const bytes = randomBytes('faults', 700_000)
let serial = 0

/** One fault in a fresh store. False when the operation has no such call. */
async function attempt(fault: Fault): Promise<boolean> {
  const work = operations[operation]
  if (work === undefined) throw new Error(`no operation ${operation}`)
  const root = path.join(directory, `root-${++serial}`)
  const what = `${operation}: ${fault.errno} at call ${fault.at} of ${fault.point}`
  try {
    await using runtime = await Runtime.open({ root })
    await work.before(runtime)
    faulty.set(fault)
    const failure = await work.run(runtime).then(
      () => undefined,
      (error: unknown) => error,
    )
    const { failed } = faulty
    faulty.set(undefined)
    if (!failed) return false
    happened++
    judge(what, failure, fault)
    await mustBeWhole(runtime, what)
    const again = await work.run(runtime).then(
      () => undefined,
      (error: unknown) => error,
    )
    // What went well in spite of the fault is there.
    const done = failure === undefined && isAlreadyExists(again)
    if (again !== undefined && !done) wrong.push(`${what}: does not succeed afterwards: ${textOf(again)}`)
    await mustBeWhole(runtime, `${what}, and then without`, true)
    return true
  } catch (error) {
    wrong.push(`${what}: ${textOf(error)}`)
    return true
  } finally {
    faulty.set(undefined)
    await fs.rm(root, { recursive: true, force: true })
  }
}

/** A failure has the code of its errno, and a text that names the cause; none at all is as good, for some are passed over. */
function judge(what: string, failure: unknown, { errno }: Fault): void {
  if (failure === undefined) {
    codes.none = (codes.none ?? 0) + 1
    return
  }
  if (failure instanceof Error && 'reported' in failure) return
  if (!isOrlopError(failure)) {
    wrong.push(`${what}: fails with a foreign error: ${textOf(failure)}`)
    return
  }
  codes[failure.code] = (codes[failure.code] ?? 0) + 1
  const expected = errno === 'EIO' ? 'DATA_LOSS' : 'RESOURCE_EXHAUSTED'
  if (failure.code !== expected) wrong.push(`${what}: fails with ${textOf(failure)}`)
}

async function mustBeWhole(runtime: Runtime, what: string, afterwards = false): Promise<void> {
  const { findings } = await checkStore(runtime)
  for (const { severity, class: kind, object, found } of findings) {
    // The damage that a repair has to mend is there until it has.
    if (severity === 'broken' && (afterwards || operation !== 'repair')) {
      wrong.push(`${what}: ${kind} ${object}: ${found}`)
    }
  }
  const { images, disk } = runtime.scope()
  for await (const { name, target } of images.list()) {
    const { available, missing } = await check(disk, target)
    if (!available) wrong.push(`${what}: ${name} lacks ${missing.map(({ descriptor }) => descriptor.digest)}`)
  }
  await mustNotHave(runtime, what)
}

/** A repair may leave the bad file or the good one, and nothing else in its place. */
async function mustNotHave(runtime: Runtime, what: string): Promise<void> {
  if (operation !== 'repair') return
  const seen = new Set<Digest>()
  for await (const { digest } of runtime.scope().content.list()) seen.add(digest)
  for (const digest of seen) {
    const file = path.join(runtime.root, 'content/blobs', digest.replace(':', '/'))
    await fs.stat(file).catch(() => wrong.push(`${what}: ${digest} has no file`))
  }
}

const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.name} ${error.message}` : String(error)

const relevant: Partial<Record<(typeof errnos)[number], readonly FaultPoint[]>> = {
  ENOSPC: faultPoints.filter(point => !/open|read|stat|unlink/.test(point) || point === 'open'),
  EMFILE: ['open', 'readdir', 'readFile', 'writeFile'],
}

for (const errno of errnos) {
  for (const point of relevant[errno] ?? faultPoints) {
    for (let at = 1; at < 400 && (await attempt({ point, at, errno })); at++);
  }
}
await resolver.close()
process.stdout.write(JSON.stringify({ happened, codes, wrong }))
