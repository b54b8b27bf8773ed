import { addPull } from '../pull-command.ts'
import type { Register } from '../register.ts'

/** `orlop content fetch` */
export const registerFetch: Register = (noun, context) => {
  const command = noun.command('fetch').description('as "images pull", under the name it has in ctr')
  addPull(command, context)
}
