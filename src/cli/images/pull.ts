import { addPull } from '../pull-command.ts'
import type { Register } from '../register.ts'

/** `orlop images pull` */
export const registerPull: Register = (noun, context) => {
  const command = noun
    .command('pull')
    .description('copy an image from a registry into the store; goes on where an earlier pull stopped')
  addPull(command, context)
}
