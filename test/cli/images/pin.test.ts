import test from 'ava'
import { digestOf } from '../../../src/oci/digest.ts'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { Runtime } from '../../../src/runtime/runtime.ts'
import { orlop } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/tmp.ts'

const target = { mediaType: mediaTypes.ociManifest, digest: digestOf('x'), size: 1 }
const alpine = 'docker.io/library/alpine:latest'

async function rootWith(t: Parameters<typeof temporaryDirectory>[0], labels = {}): Promise<string> {
  const root = await temporaryDirectory(t)
  await using runtime = await Runtime.open({ root })
  await runtime.scope().images.create({ name: alpine, target, labels })
  return root
}

test('orlop images pin sets the label, and unpin removes it', async t => {
  const root = await rootWith(t, { other: '1' })
  const pinned = await orlop(['--root', root, 'images', 'pin', 'alpine'])
  t.deepEqual([pinned.code, pinned.stdout, pinned.stderr], [0, `${alpine}\n`, ''])
  const listed = await orlop(['--root', root, '--quiet', 'images', 'list', 'labels."orlop.io/pinned"==true'])
  t.is(listed.stdout, `${alpine}\n`)
  const json = await orlop(['--root', root, '--json', 'images', 'unpin', alpine])
  t.deepEqual(JSON.parse(json.stdout), [{ name: alpine, pinned: false }])
  await using runtime = await Runtime.open({ root })
  t.deepEqual((await runtime.scope().images.get(alpine)).labels, { other: '1' })
})

test('orlop images unpin leaves the pin of CRI alone, and says so', async t => {
  const root = await rootWith(t, { 'io.cri-containerd.pinned': 'pinned' })
  const { code, stdout, stderr } = await orlop(['--root', root, 'images', 'unpin', 'alpine'])
  t.deepEqual([code, stdout], [0, `${alpine}\n`])
  t.regex(stderr, /still pinned by the label io\.cri-containerd\.pinned/)
})

test('orlop images pin of an image that is not there exits with 3', async t => {
  const { code, stderr } = await orlop(['--root', await rootWith(t), 'images', 'pin', 'nginx'])
  t.is(code, 3)
  t.regex(stderr, /image nginx: not found/)
})
