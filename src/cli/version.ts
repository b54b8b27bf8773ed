import process from 'node:process'
import { version } from '../version.ts'
import type { Register } from './register.ts'

/** `orlop version` */
export const registerVersion: Register = (command, { out, options }) => {
  command.action(() => {
    const about = { version, node: process.version, platform: `${process.platform}/${process.arch}` }
    if (options.json) out.json(about)
    else if (options.quiet) out.line(version)
    else for (const [key, value] of Object.entries(about)) out.line(`${key}: ${value}`)
  })
}
