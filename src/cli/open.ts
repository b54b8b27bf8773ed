import { OrlopError } from '../errors.ts'
import type { AbortOptions } from '../options.ts'
import { Runtime } from '../runtime/runtime.ts'
import type { GlobalOptions } from './context.ts'

/** The store under a root, opened by this process. */
export async function openStore(
  root: string,
  { address }: GlobalOptions,
  options: AbortOptions,
): Promise<Runtime> {
  if (address !== undefined && address !== '') {
    throw new OrlopError(
      'UNIMPLEMENTED',
      `--address ${address}: this version opens its store itself; leave out --address and ORLOP_ADDRESS`,
    )
  }
  return Runtime.open({ root }, options)
}
