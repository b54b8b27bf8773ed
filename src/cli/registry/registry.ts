import type { Register } from '../register.ts'
import { addLogin } from './login.ts'
import { addLogout } from './logout.ts'

/** `orlop registry …`: what is asked of a registry itself; each verb in a file of its own. */
export const registerRegistry: Register = (noun, context) => {
  addLogin(noun.command('login'), context)
  addLogout(noun.command('logout'), context)
}
