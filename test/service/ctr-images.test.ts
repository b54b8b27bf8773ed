import { spawn } from 'node:child_process'
import path from 'node:path'
import test from 'ava'
import { canRunContainerd, startContainerd } from '../support/containerd.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { buildImage, createLayout, putJson } from '../support/layout.ts'
import { testWith } from '../support/programs.ts'
import { type Outcome, run } from '../support/run.ts'
import { startServing } from '../support/serving.ts'
import { afterFile, type Teardown, temporaryDirectory } from '../support/tmp.ts'
import { uploadGraph } from '../support/upload.ts'

const shared = afterFile(test.after.always)

/** An image of this machine's platform and another one in a registry. */
async function publishImage(t: Teardown): Promise<{ readonly reference: string; readonly host: string }> {
  const registry = await startDockerRegistry(t)
  const layout = path.join(await temporaryDirectory(t), 'layout')
  await createLayout(layout)
  const manifests: object[] = []
  for (const architecture of ['amd64', 'arm64']) {
    const platform = { os: 'linux', architecture }
    const files = [[path.join(layout, 'oci-layout'), `/etc/${architecture}`]] as const
    const built = await buildImage(layout, { tag: architecture, platform, files })
    manifests.push({ ...built, platform })
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const root = await putJson(layout, mediaType, { schemaVersion: 2, mediaType, manifests })
  await uploadGraph(registry.url, 'a/b', '1', layout, root)
  return { reference: `${registry.host}/a/b:1`, host: registry.host }
}

/** What must end alike; of progress and dates nothing is compared. */
const compared = ({ code, stdout, stderr }: Outcome, quiet: boolean): object =>
  quiet
    ? { code }
    : {
        code,
        stdout: stdout.replace(/ {2,}/g, ' '),
        kind: stderr
          .trim()
          .split(': ')
          .at(-1)
          ?.replace(/.*level/, ''),
      }

testWith(
  'ctr',
  'docker-registry',
  'umoci',
)('ctr: images come, are listed, checked, tagged, converted, pushed and go, as on containerd', async t => {
  const { reference, host } = await publishImage(t)
  const archive = path.join(await temporaryDirectory(t), 'out.tar')
  const { address } = await startServing(t)
  const real = canRunContainerd() ? await startContainerd(shared) : undefined
  const steps: ReadonlyArray<readonly [code: number, quiet: boolean, line: string]> = [
    [0, true, `content fetch --plain-http --all-platforms ${reference}`],
    [0, false, 'images list'],
    [0, false, 'images check'],
    [0, false, 'images check -q'],
    [0, false, `content fetch-object --plain-http ${reference}`],
    [0, false, `images tag ${reference} other:1`],
    [1, false, `images tag ${reference} other:1`],
    [0, false, `images tag --force ${reference} other:1`],
    [0, false, 'images label other:1 a=b'],
    [0, false, 'images label --replace-all other:1 c=d'],
    [0, false, 'images list labels.c==d'],
    [0, false, `images export --all-platforms ${archive} ${reference}`],
    [0, true, `images push --plain-http ${host}/c/d:ADDRESS ${reference}`],
    [0, false, 'images convert --oci --platform linux/amd64 other:1 converted:1'],
    [0, false, 'images convert --uncompress --platform linux/amd64 other:1 flat:1'],
    [0, false, 'images list -q'],
    [0, false, `images delete --sync ${reference} other:1 converted:1 flat:1`],
    [0, false, 'images list -q'],
    [0, false, `images import --no-unpack ${archive}`],
    [0, false, 'images list'],
    [0, false, 'content prune references'],
    [0, false, 'images delete none:1'],
  ]
  for (const [code, quiet, line] of steps) {
    const at = (socket: string, tag: string) =>
      run('ctr', ['--address', socket, ...line.replace('ADDRESS', tag).split(' ')])
    const ours = await at(address, 'ours')
    t.is(ours.code, code, `ctr ${line}\n${ours.stdout}${ours.stderr}`)
    if (real)
      t.deepEqual(compared(ours, quiet), compared(await at(real.address, 'theirs'), quiet), `ctr ${line}`)
  }
})

testWith(
  'ctr',
  'docker-registry',
  'umoci',
)('ctr images pull: goes as far as the first snapshot; the image is there and complete', async t => {
  const { reference } = await publishImage(t)
  const { address } = await startServing(t)
  const pulled = await run('ctr', ['--address', address, 'images', 'pull', '--plain-http', reference])
  t.is(pulled.code, 1)
  t.regex(pulled.stderr, /snapshot.*(?:not implemented|Unimplemented)/i)
  const { stdout } = await run('ctr', ['--address', address, 'images', 'check'])
  t.regex(stdout, /complete \(\d\/\d\)/)
})

testWith('ctr')('ctr events: prints what happens, as containerd does', async t => {
  const { address } = await startServing(t)
  const at = (...args: readonly string[]) => run('ctr', ['--address', address, ...args], { input: 'x' })
  // Namespaces are made until one is seen: ctr does not say when it listens.
  const child = spawn('ctr', ['--address', address, 'events'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  for (let turn = 0; turn < 50 && !text.includes('/namespaces/create'); turn++) {
    await at('namespaces', 'create', `n${turn}`, 'a=b')
  }
  await at('content', 'ingest', 'r')
  await at('namespaces', 'label', 'n0', 'c=d')
  for (let turn = 0; turn < 50 && !text.includes('/namespaces/update'); turn++) await at('version')
  t.regex(text, /^\S+ \S+ \S+ \S+ n\d+ \/namespaces\/create \{"name":"n\d+","labels":\{"a":"b"\}\}$/m)
  // This ctr does not know containerd.events.ContentCreate, which is newer; it passes it over and goes on.
  t.regex(text, /^\S+ \S+ \S+ \S+ n0 \/namespaces\/update \{"name":"n0","labels":\{"a":"b","c":"d"\}\}$/m)
})
