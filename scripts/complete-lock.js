// Adds to package-lock.json the optional platform packages that npm left out because a registry mirror lacks them.
// Without them `npm ci` refuses the lock. Run it after each `npm install`: npm run lock
import fs from 'node:fs'

const file = process.argv[2] ?? 'package-lock.json'
const cpus = { aarch64: 'arm64', armv7: 'arm' }
const lock = JSON.parse(fs.readFileSync(file, 'utf8'))

for (const [at, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || lock.packages[`${at}/node_modules/${name}`]) continue
    const shape = /-(android|darwin|linux|win32|freebsd|openbsd|netbsd|sunos|aix)-([a-z0-9]+)(-musl)?$/
    const [, os, cpu, musl] = shape.exec(name) ?? []
    if (os === undefined)
      throw new Error(`${name}: its name does not tell for which system it is; add it by hand`)
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpus[cpu] ?? cpu],
      ...(entry.dev && { dev: true }),
      ...(os === 'linux' && musl && { libc: ['musl'] }),
      ...(entry.license && { license: entry.license }),
      optional: true,
      os: [os],
      ...(entry.engines && { engines: entry.engines }),
    }
    console.log(`added ${name} ${version}`)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
