import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { blobsOf, factsOf } from '../support/facts.ts'
import { buildImage, createLayout, putJson } from '../support/layout.ts'
import { testWith } from '../support/programs.ts'
import { seededRandom } from '../support/random.ts'
import { type RecordedRequest, type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts'
import { orlop, projectRoot, startOrlop } from '../support/run.ts'
import { corruptDigests, type IngestFile, storedDigests, storedIngests } from '../support/store-files.ts'
import { temporaryDirectory } from '../support/tmp.ts'
import { uploadGraph } from '../support/upload.ts'

const kills = 50

/** What was there when a pull was killed. */
interface Remains {
  /** Digests of the blobs that are whole. */
  readonly stored: readonly string[]
  /** Those of them that the store knows of; a kill may come between the blob and its record. */
  readonly recorded: readonly string[]
  readonly ingests: readonly IngestFile[]
}

testWith(
  'docker-registry',
  'skopeo',
  'umoci',
)(`pull killed ${kills} times at random moments loses nothing, and fetches nothing twice`, async t => {
  t.timeout(900_000)
  const seed = Number(process.env.ORLOP_TEST_SEED ?? Date.now() % 2 ** 31)
  t.log(`ORLOP_TEST_SEED=${seed}`)
  const random = seededRandom(seed)
  const proxy = await startSlowRegistry(t)
  const reference = `${proxy.host}/big:1`
  const wanted = blobsOf(await factsOf(reference)).map(({ digest }) => digest)
  const whole = await timeOfPull(t, reference)
  let killed = 0
  let resumed = 0
  while (killed < kills) {
    const root = path.join(await temporaryDirectory(t), 'root')
    const pull = ['--root', root, 'images', 'pull', '--all-platforms', reference]
    let remains: Remains = { stored: [], recorded: [], ingests: [] }
    for (let left = Math.min(1 + Math.floor(random() * 16), kills - killed); left > 0; left--) {
      const before = proxy.requests().length
      const ended = await killAfter(pull, random() * whole)
      resumed += checkRequests(t, proxy.requests().slice(before), remains)
      if (ended) break
      killed++
      remains = await checkRemains(t, root)
    }
    const before = proxy.requests().length
    const { code, stderr } = await orlop(pull)
    t.is(code, 0, stderr)
    resumed += checkRequests(t, proxy.requests().slice(before), remains)
    t.deepEqual(await storedDigests(root), wanted.toSorted())
    t.deepEqual(await corruptDigests(root), [])
    // A kill may leave the name of an ingest for the next collection, but no bytes.
    t.deepEqual(
      (await storedIngests(root)).filter(({ size }) => size > 0),
      [],
    )
    const check = await orlop(['--root', root, 'images', 'check', '--all-platforms', '--deep', reference])
    t.is(check.code, 0, check.stdout + check.stderr)
  }
  t.log(`${killed} kills, ${resumed} blobs resumed by Range`)
  t.true(resumed > 0)
})

/** Milliseconds that a pull takes that nobody kills: moments to kill are chosen within. */
const timeOfPull = async (t: ExecutionContext, reference: string): Promise<number> => {
  const root = path.join(await temporaryDirectory(t), 'root')
  const started = performance.now()
  const { code, stderr } = await orlop(['--root', root, 'images', 'pull', '--all-platforms', reference])
  t.is(code, 0, stderr)
  return performance.now() - started
}

/** True when the pull ended before it could be killed. */
const killAfter = async (args: readonly string[], milliseconds: number): Promise<boolean> => {
  const { child, outcome } = startOrlop(args)
  const timer = delay(milliseconds).then(() => child.kill('SIGKILL'))
  const { code } = await outcome
  await timer
  return code === 0
}

const checkRemains = async (t: ExecutionContext, root: string): Promise<Remains> => {
  t.deepEqual(await corruptDigests(root), [], 'a blob is whole or not there')
  const stored = await storedDigests(root)
  const { code, stdout, stderr } = await orlop(['--root', root, '--quiet', 'content', 'list'])
  t.is(code, 0, stderr)
  const recorded = stdout.split('\n').filter(line => line !== '')
  t.deepEqual(
    recorded.filter(digest => !stored.includes(digest)),
    [],
    'no record without its blob',
  )
  return { stored, recorded, ingests: await storedIngests(root) }
}

/** Asserts that nothing whole was fetched and that what was begun is gone on with; counts the latter. */
const checkRequests = (
  t: ExecutionContext,
  requests: readonly RecordedRequest[],
  { stored, recorded, ingests }: Remains,
): number => {
  const asked = (kind: 'blobs' | 'manifests', digest: string) =>
    requests.filter(({ method, path: at }) => method === 'GET' && at.endsWith(`/${kind}/${digest}`))
  for (const digest of stored) t.deepEqual(asked('blobs', digest), [], 'a whole blob is not fetched again')
  for (const digest of recorded) t.deepEqual(asked('manifests', digest), [], 'nor is a manifest')
  let resumed = 0
  for (const { ref, size } of ingests) {
    const [digest] = /sha256:[0-9a-f]{64}/.exec(ref) ?? []
    const [first] = digest === undefined ? [] : asked('blobs', digest)
    if (size === 0 || first === undefined) continue
    t.is(first.range?.match(/^bytes=(\d+)-/)?.[1], String(size), `${ref} goes on at byte ${size}`)
    resumed++
  }
  return resumed
}

/** A registry with an image of two platforms whose largest blob, Node itself, takes about a second. */
const startSlowRegistry = async (t: ExecutionContext): Promise<RecordingProxy> => {
  const registry = await startDockerRegistry(t)
  const layout = path.join(await temporaryDirectory(t), 'layout')
  await createLayout(layout)
  const modules = path.join(projectRoot, 'node_modules')
  const manifests = [
    await buildImage(layout, {
      tag: 'amd64',
      platform: { os: 'linux', architecture: 'amd64' },
      files: [
        [process.execPath, '/usr/bin/node'],
        [path.join(modules, 'undici'), '/usr/lib/undici'],
        [path.join(modules, 'commander'), '/usr/lib/commander'],
      ],
    }),
    await buildImage(layout, {
      tag: 'arm64',
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      files: [
        [path.join(modules, 'classic-level'), '/usr/lib/classic-level'],
        [path.join(projectRoot, 'src'), '/usr/src/orlop'],
      ],
    }),
  ]
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const index = await putJson(layout, mediaType, { schemaVersion: 2, mediaType, manifests })
  await uploadGraph(registry.url, 'big', '1', layout, index)
  return startRecordingProxy(t, registry.host, { bytesPerSecond: 40_000_000 })
}
