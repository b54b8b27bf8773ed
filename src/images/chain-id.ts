import { type Digest, digestOf } from '../oci/digest.ts'

/**
 * The chain ids of layers: each names a layer together with all below it.
 *
 * @param diffIds  digests of the uncompressed layers, lowest first
 * @returns as many as there are diff ids; the first is the first diff id itself
 * @see image-spec v1.1, config.md, Layer ChainID
 */
export function chainIds(diffIds: readonly Digest[]): readonly Digest[] {
  const chain: Digest[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`))
  }
  return chain
}

/** The chain id of all layers together, or `undefined` when there are none. */
export const chainId = (diffIds: readonly Digest[]): Digest | undefined => chainIds(diffIds).at(-1)
