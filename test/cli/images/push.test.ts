import test from 'ava'
import { mediaTypes } from '../../../src/oci/media-type.ts'
import { cliOn } from '../../support/cli.ts'
import { startRegistry } from '../../support/registry.ts'
import { startUploadRegistry } from '../../support/upload-registry.ts'

const refuses = test.macro({
  exec: async (t, args: string, code: number, message: RegExp) => {
    const cli = await cliOn(t)
    const { code: actual, stdout, stderr } = await cli(args)
    t.is(actual, code, stderr)
    t.regex(stderr, message)
    t.is(stdout, '')
  },
  title: (_, args) => `orlop ${args}`,
})

test(refuses, 'images push UPPER/case', 2, /lower case/)
test(refuses, 'images push localhost:1/app:1', 3, /localhost:1\/app:1.*orlop images list/)
test(refuses, 'images push --platform linux/amd64 --all-platforms localhost:1/app', 2, /not both/)
test(refuses, 'images push --manifest sha256:12 localhost:1/app', 2, /sha256 needs 64/)
test(refuses, `images push --manifest sha256:${'0'.repeat(64)} app localhost:1/app`, 2, /not both/)
test(refuses, `content push-object localhost:1/app sha256:${'0'.repeat(64)} text/plain`, 3, /sha256:000/)

test('orlop images push takes ctr’s flags, prints the reference alone with --quiet, and knows short names', async t => {
  const [from, to, cli] = await Promise.all([startRegistry(t), startUploadRegistry(t), cliOn(t)])
  const { manifest } = from.image('app', '1', 'one layer')
  const name = `${from.host}/app:1`
  t.is((await cli(`--quiet images pull --referrers ${name}`)).code, 0)
  t.is((await cli(`images tag ${name} docker.io/library/app:latest`)).code, 0)
  const flags = '--local --all-platforms --max-concurrent-uploaded-layers 1 --allow-non-distributable-blobs'
  const pushed = await cli(`--quiet images push ${flags} app ${to.host}/team/app`)
  t.is(pushed.stdout, `${to.host}/team/app:latest\n`)
  t.is(pushed.stderr, '')
  t.true(to.contents.has('/v2/team/app/manifests/latest'))
  const again = await cli(`images push app ${to.host}/team/app`)
  t.regex(again.stderr, /layer sha256:.*: there already\n(?:.*\n)*3 blobs: 0\.0 B sent, .* were there/)
  const other = await cli(`images push app ${to.host}/other/app`)
  t.regex(other.stderr, /layer sha256:.*: mounted from team\/app/)
  const typed = await cli(
    `images push --manifest ${manifest.digest} --manifest-type ${mediaTypes.ociManifest} ${to.host}/typed:1`,
  )
  t.is(typed.stdout, `${to.host}/typed:1 ${manifest.digest}\n`)
})

test('orlop images push says in which order it takes names', async t => {
  const cli = await cliOn(t)
  const { stdout } = await cli('images push --help')
  t.regex(stdout, /push \[options\] \[local\] <remote>/)
  t.regex(stdout, /ctr has them the other way round/)
})
