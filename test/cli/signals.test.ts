import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from '../support/bytes.ts'
import { cliOn, linesOf } from '../support/cli.ts'
import { config, layer, manifest } from '../support/image.ts'
import { publish } from '../support/publish.ts'
import { type Fault, startRegistry } from '../support/registry.ts'
import { type Running, startOrlop } from '../support/run.ts'
import { storedIngests } from '../support/store-files.ts'

const big = layer(randomBytes('signals', 3_000_000))
const root = manifest(config(), big)
const url = new RegExp(`GET .*${big.desc.digest}`)

/** Sends the first bytes at once, and the rest a byte at a time: so it never ends, and there is always news. */
const trickleAfter =
  (bytes: number): Fault =>
  ({ answer, response }) => {
    const { status, headers, body } = answer()
    response.writeHead(status, { ...headers, 'content-length': body.byteLength } as OutgoingHttpHeaders)
    response.write(body.subarray(0, bytes))
    let at = bytes
    const timer = setInterval(() => response.write(body.subarray(at, ++at)), 50)
    response.once('close', () => clearInterval(timer))
  }

/** A pull that hangs in the middle of its layer. */
async function hanging(t: ExecutionContext) {
  const [run, registry] = await Promise.all([cliOn(t), startRegistry(t)])
  const name = publish(registry, 'app', '1', root)
  registry.always(url, trickleAfter(2_000_000))
  const args = ['--root', run.root, 'images', 'pull', '--progress', 'json', name]
  const running = startOrlop(args)
  await seenOffset(running, 1_500_000)
  return { run, registry, name, args, ...running }
}

/** Resolves when the progress of a pull has come to an offset. */
async function seenOffset({ child, outcome }: Running, least: number): Promise<void> {
  let text = ''
  const stopped = outcome.then(({ stderr }) => {
    throw new Error(`ended early: ${stderr}`)
  })
  for (;;) {
    const [chunk] = await Promise.race([once(child.stderr ?? child, 'data'), stopped])
    text += chunk
    for (const [, offset] of text.matchAll(/"offset":(\d+)/g)) if (Number(offset) >= least) return
  }
}

const stops = test.macro<[NodeJS.Signals, number]>({
  async exec(t, signal, exitCode) {
    const { run, child, outcome, registry, name } = await hanging(t)
    child.kill(signal)
    const { code, stdout, stderr } = await outcome
    t.is(code, exitCode)
    t.is(stdout, '')
    t.is(stderr.trim().split('\n').at(-1), `orlop: interrupted by ${signal}`)
    const kept = (await storedIngests(run.root)).find(({ ref }) => ref.includes('layer-'))
    t.true(kept !== undefined && kept.size >= 1_500_000)
    t.is((await run('leases list -q')).stdout, '')
    t.is((await run('images list -q')).stdout, '')
    registry.heal()
    registry.requests.length = 0
    t.is((await run(`images pull -q ${name}`)).stdout, `${name}\n`)
    t.deepEqual(
      registry.seen(url).map(({ headers }) => headers.range),
      [`bytes=${kept?.size}-`],
    )
    t.is((await run(`images check --deep --all-platforms ${name}`)).code, 0)
  },
  title: (_, signal, exitCode) =>
    `${signal} ends a pull with ${exitCode}, and the same command goes on from there`,
})

test(stops, 'SIGINT', 130)
test(stops, 'SIGTERM', 143)
test(stops, 'SIGHUP', 129)

test('a second SIGINT ends the process, and the store opens again', async t => {
  const { run, child, outcome } = await hanging(t)
  child.kill('SIGINT')
  child.kill('SIGINT')
  t.is((await outcome).code, 130)
  t.is((await run('images list -q')).code, 0)
})

test('a pull that is killed goes on from there', async t => {
  const { run, child, outcome, registry, name } = await hanging(t)
  child.kill('SIGKILL')
  await outcome
  registry.heal()
  registry.requests.length = 0
  t.is((await run(`images pull -q ${name}`)).stdout, `${name}\n`)
  t.regex(registry.seen(url)[0]?.headers.range ?? '', /^bytes=\d+-$/)
  // What the killed pull leased stays leased for a day.
  t.is(linesOf(await run('leases list -q')).length, 1)
})

test('a second pull of the same goes on with the bytes of the first, when that is interrupted', async t => {
  const { child, outcome, args, registry } = await hanging(t)
  registry.heal()
  registry.requests.length = 0
  const second = startOrlop(args)
  // It is at work when it has asked for the tag.
  while (registry.seen(/manifests/).length === 0) await new Promise(resolve => setTimeout(resolve, 10))
  child.kill('SIGINT')
  t.is((await outcome).code, 130)
  t.is((await second.outcome).code, 0, (await second.outcome).stderr)
  t.regex(registry.seen(url)[0]?.headers.range ?? '', /^bytes=\d+-$/)
})
