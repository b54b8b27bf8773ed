import type { Register } from '../register.ts'
import { registerAbort } from './abort.ts'
import { registerActive } from './active.ts'
import { registerDelete } from './delete.ts'
import { registerFetch } from './fetch.ts'
import { registerFetchBlob } from './fetch-blob.ts'
import { registerFetchObject } from './fetch-object.ts'
import { registerGet } from './get.ts'
import { registerInfo } from './info.ts'
import { registerIngest } from './ingest.ts'
import { registerLabel } from './label.ts'
import { registerList } from './list.ts'
import { registerPushObject } from './push-object.ts'

/** `orlop content …`: each verb in a file of its own. */
export const registerContent: Register = (noun, context) => {
  for (const register of [
    registerList,
    registerGet,
    registerInfo,
    registerIngest,
    registerActive,
    registerAbort,
    registerLabel,
    registerDelete,
    registerFetch,
    registerFetchObject,
    registerFetchBlob,
    registerPushObject,
  ]) {
    register(noun, context)
  }
}
