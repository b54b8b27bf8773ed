import path from 'node:path'
import { type DockerRegistry, startDockerRegistry } from './docker-registry.ts'
import { buildSharedImages, plans, type Workshop } from './fixture-plans.ts'
import { createLayout, tagLayout } from './layout.ts'
import { output } from './run.ts'
import { type Teardown, temporaryDirectory } from './tmp.ts'
import { uploadGraph } from './upload.ts'

/** The images that the issue on pulling names, one each. */
export type FixtureName = keyof typeof plans

/** The names of all fixtures. */
export const fixtureNames = Object.keys(plans) as readonly FixtureName[]

/** A registry full of images. */
export interface Fixtures {
  readonly registry: DockerRegistry
  /** The OCI layout that the images were built in; it holds every blob of those that were not pushed as schema 2. */
  readonly layout: string
  /** `127.0.0.1:<port>/fixtures/<name>:1`. Ask `factsOf` what it holds. */
  reference(name: FixtureName): string
}

/**
 * Builds images out of real files with umoci, zstd and JSON by hand, and pushes them into a docker-registry.
 *
 * Takes a few seconds: once a test file. Needs docker-registry, skopeo, umoci and zstd.
 *
 * @param names  which; default all
 */
export async function startFixtures(
  t: Teardown,
  names: readonly FixtureName[] = fixtureNames,
): Promise<Fixtures> {
  const registry = await startDockerRegistry(t)
  const layout = path.join(await temporaryDirectory(t), 'layout')
  await createLayout(layout)
  const workshop = { layout, images: await buildSharedImages(layout), registryUrl: registry.url }
  for (const name of names) await makeFixture(registry, workshop, name)
  return { registry, layout, reference: name => `${registry.host}/fixtures/${name}:1` }
}

const makeFixture = async (
  registry: DockerRegistry,
  workshop: Workshop,
  name: FixtureName,
): Promise<void> => {
  const { target, push } = await plans[name](workshop)
  const { layout } = workshop
  if (push === 'upload') return uploadGraph(registry.url, `fixtures/${name}`, '1', layout, target)
  const tag = `fixture-${name}`
  await tagLayout(layout, tag, target)
  const format = push === 'skopeo as schema 2' ? ['--format', 'v2s2'] : []
  const flags = ['--all', '--quiet', '--insecure-policy', '--dest-tls-verify=false', ...format]
  const destination = `docker://${registry.host}/fixtures/${name}:1`
  await output('skopeo', ['copy', ...flags, `oci:${layout}:${tag}`, destination])
}
