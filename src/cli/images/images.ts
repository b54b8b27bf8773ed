import type { Register } from '../register.ts'
import { registerCat } from './cat.ts'
import { registerCheck } from './check.ts'
import { registerConvert } from './convert.ts'
import { registerDelete } from './delete.ts'
import { registerDiff } from './diff.ts'
import { registerExport } from './export.ts'
import { registerImport } from './import.ts'
import { registerInspect } from './inspect.ts'
import { registerLabel } from './label.ts'
import { registerList } from './list.ts'
import { registerListFiles } from './ls-files.ts'
import { registerPin, registerUnpin } from './pin.ts'
import { registerPlatforms } from './platforms.ts'
import { registerPrune } from './prune.ts'
import { registerPull } from './pull.ts'
import { registerPush } from './push.ts'
import { registerSize } from './size.ts'
import { registerTag } from './tag.ts'
import { registerVerify } from './verify.ts'

/** `orlop images …`: each verb in a file of its own. */
export const registerImages: Register = (noun, context) => {
  for (const register of [
    registerPull,
    registerPush,
    registerImport,
    registerExport,
    registerList,
    registerCheck,
    registerVerify,
    registerInspect,
    registerListFiles,
    registerCat,
    registerDiff,
    registerSize,
    registerPlatforms,
    registerTag,
    registerConvert,
    registerLabel,
    registerPin,
    registerUnpin,
    registerDelete,
    registerPrune,
  ]) {
    register(noun, context)
  }
}
