import type { Register } from '../register.ts'
import { registerCatalog } from './catalog.ts'
import { registerDelete } from './delete.ts'
import { addLogin } from './login.ts'
import { addLogout } from './logout.ts'
import { registerManifest } from './manifest.ts'
import { registerReferrers } from './referrers.ts'
import { registerTags } from './tags.ts'

/** `orlop registry …`: what is asked of a registry itself; each verb in a file of its own. */
export const registerRegistry: Register = (noun, context) => {
  for (const register of [registerTags, registerCatalog, registerManifest, registerReferrers, registerDelete])
    register(noun, context)
  addLogin(noun.command('login'), context)
  addLogout(noun.command('logout'), context)
}
