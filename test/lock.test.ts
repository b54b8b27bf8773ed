import fs from 'node:fs'
import test from 'ava'

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      { readonly version?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }
    >
  >
}

const lock: Lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'))

test('package-lock.json has every optional package, or npm ci would refuse it (npm run lock adds them)', t => {
  for (const [at, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      const found = lock.packages[`${at}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`]
      t.truthy(found, `${name}, which ${at} may need`)
    }
  }
})

test('package-lock.json has what package.json asks for', t => {
  const asked = JSON.parse(fs.readFileSync('package.json', 'utf8'))
  for (const name of Object.keys({ ...asked.dependencies, ...asked.devDependencies })) {
    t.truthy(lock.packages[`node_modules/${name}`], name)
  }
})
