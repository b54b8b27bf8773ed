/**
 * The main job of orlop on real input, with the real program: `npm run demo`.
 *
 * Without arguments it needs no network: it makes an image for four platforms out of files that are here, serves it from
 * a registry on loopback and pulls it from there. With an image reference it pulls that image. `--root <directory>` keeps
 * the store; without it the store is removed at the end. Exits with 0 only if every step did what it should.
 */

import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildImage } from './image.ts'
import { type DemoRegistry, serveRepositories } from './registry.ts'
import { epilogue, type Step, steps } from './steps.ts'

// The built file lies in dist/examples/demo.
const project = fileURLToPath(new URL('../../../', import.meta.url))

async function demo(argv: readonly string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { root: { type: 'string' }, platform: { type: 'string', default: 'linux/amd64' } },
  })
  const [given] = positionals
  const temporary = await fs.mkdtemp(path.join(os.tmpdir(), 'orlop-demo-'))
  const registry = given === undefined ? await serveDemoImage() : undefined
  try {
    const root = values.root ?? temporary
    const image = given ?? `${registry?.host}/demo/level:latest`
    const subject = {
      image,
      platform: values.platform,
      hasMore: given === undefined,
      ownsStore: values.root === undefined,
    }
    for (const step of steps(subject)) {
      if (!(await perform(step, root))) return false
    }
    say(epilogue)
    return true
  } finally {
    await registry?.[Symbol.asyncDispose]()
    await fs.rm(temporary, { recursive: true, force: true })
  }
}

const serveDemoImage = async (): Promise<DemoRegistry> => {
  const registry = await serveRepositories(new Map([['demo/level', await buildImage(project)]]))
  say(`Made an image for four platforms out of the files of this project; serving it on ${registry.host}.`)
  return registry
}

const perform = async ({ says, args, exits = [0], prints = /^/ }: Step, root: string): Promise<boolean> => {
  say(`\n# ${says}`)
  say(`$ orlop ${args.join(' ')}`)
  const { code, stdout } = await orlop(['--root', root, ...args])
  if (code === null || !exits.includes(code))
    say(`The demo failed: exit code ${code}, not ${exits.join(' or ')}.`)
  else if (!prints.test(stdout)) say(`The demo failed: the output should hold ${prints}.`)
  else return true
  return false
}

/** Runs the program in a process of its own; what it prints is shown as it comes. */
const orlop = (args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> =>
  new Promise((resolve, reject) => {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const child = spawn(process.execPath, [path.join(project, 'bin/orlop.js'), ...args], {
      stdio: [...stdio],
    })
    let stdout = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      process.stdout.write(text)
    })
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout }))
  })

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

process.exitCode = (await demo(process.argv.slice(2))) ? 0 : 1
