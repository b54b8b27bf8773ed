import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { randomBytes } from '../support/bytes.ts'
import { startRegistry } from '../support/registry.ts'
import { output } from '../support/run.ts'
import { temporaryDirectory } from '../support/tmp.ts'

const program = fileURLToPath(new URL('../support/fault-child.js', import.meta.url))

const survives = test.macro({
  async exec(t, operation: string, least: number) {
    t.timeout(600_000)
    const directory = await temporaryDirectory(t)
    const registry = await startRegistry(t)
    registry.image('app', '1', randomBytes('one', 300_000), 'two')
    registry.image('other', '1', 'two')
    const args = [program, path.resolve(directory), registry.host, operation]
    const { happened, codes, wrong } = JSON.parse(await output(process.execPath, args, { deadline: 500_000 }))
    t.log(`${happened} faults`, codes)
    t.deepEqual(wrong, [])
    t.true(happened >= least, `only ${happened} faults happened`)
  },
  title: (_, operation: string) =>
    `a store is whole after ENOSPC, EIO and EMFILE at each call to the file system of a ${operation}`,
})

test.serial(survives, 'commit', 40)
test.serial(survives, 'small commit', 20)
test.serial(survives, 'pull', 100)
test.serial(survives, 'collect', 10)
test.serial(survives, 'repair', 40)
