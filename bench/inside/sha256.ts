import { createHash } from 'node:crypto'
import fs from 'node:fs'
import process from 'node:process'

/** Hashes files one after the other in large reads: what one core allows. */
function main(): void {
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (const file of process.argv.slice(2)) {
    const hash = createHash('sha256')
    const descriptor = fs.openSync(file, 'r')
    for (let size = fs.readSync(descriptor, buffer); size > 0; size = fs.readSync(descriptor, buffer)) {
      hash.update(buffer.subarray(0, size))
    }
    fs.closeSync(descriptor)
    process.stdout.write(`${hash.digest('hex')} ${file}\n`)
  }
}

main()
