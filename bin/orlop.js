#!/usr/bin/env node
'use strict'
// Starts the command line: from its bundle where there is one, which takes a third of the time, else from its modules.
// CommonJS, for Node's loader of ES modules would take longer to load than all that is here.
const fs = require('node:fs')
const { createRequire } = require('node:module')
const os = require('node:os')
const path = require('node:path')
const process = require('node:process')
const vm = require('node:vm')

const bundle = path.join(__dirname, '../dist/bundle/orlop.cjs')
/** Written by each `tsc` that changes a module; the published package has none. */
const compiled = path.join(__dirname, '../dist/.tsbuildinfo')

async function start() {
  const { main } = isCurrent() ? fromBundle(process.argv[2]) : await import('../dist/src/cli/main.js')
  await main()
}

/** False as well when modules were compiled again and the bundle was not. */
function isCurrent() {
  const [at, changed] = [bundle, compiled].map(file => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs)
  return at !== undefined && (changed === undefined || at >= changed)
}

/**
 * Runs the bundle with the code that V8 made of it at an earlier run, which is kept in the user's cache directory: one file
 * for each noun, for each uses other functions. `NODE_DISABLE_COMPILE_CACHE=1` turns that off, as it does Node's own cache.
 */
function fromBundle(noun) {
  // esbuild writes ASCII only, and Latin-1 is what needs no decoding.
  const source = fs.readFileSync(bundle, 'latin1')
  const cache = cacheFile(noun)
  const cachedData = cache && readCache(cache)
  const script = new vm.Script(`(function (exports, require, module) {${source}\n})`, {
    filename: bundle,
    ...(cachedData && { cachedData }),
  })
  if (cache && (!cachedData || script.cachedDataRejected)) {
    process.once('exit', () => writeCache(cache, script.createCachedData()))
  }
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(bundle), module)
  return module.exports
}

/** Its name says what the code was made from; V8 looks at its own version and flags itself. */
function cacheFile(noun = '') {
  if (process.env.NODE_DISABLE_COMPILE_CACHE || !/^[a-z]{0,20}$/.test(noun)) return undefined
  const { mtimeMs, size } = fs.statSync(bundle)
  const home = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache')
  if (!path.isAbsolute(home)) return undefined
  const name = `${noun || 'none'}-${process.version}-${process.arch}-${size}-${Math.round(mtimeMs)}.bin`
  return path.join(home, 'orlop', 'code', name)
}

/**
 * Code is run unseen, so the file must be ours alone; and V8 crashes on a torn one, so its sum is looked at.
 *
 * Whatever is wrong with it, it is as if it were not there.
 */
function readCache(file) {
  try {
    const { uid, mode } = fs.statSync(file)
    if (process.getuid && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined
    const bytes = fs.readFileSync(file)
    const data = bytes.subarray(0, -4)
    return bytes.readInt32LE(data.length) === sumOf(data) ? data : undefined
  } catch {
    return undefined
  }
}

/** Without one the next start takes longer, and that is all. */
function writeCache(file, data) {
  const temporary = `${file}.${process.pid}`
  try {
    makeDirectory(path.dirname(file), 3)
    dropOthers(file)
    const sum = Buffer.alloc(4)
    sum.writeInt32LE(sumOf(data))
    fs.writeFileSync(temporary, Buffer.concat([data, sum]), { mode: 0o600, flag: 'wx' })
    fs.renameSync(temporary, file)
  } catch {
    fs.rmSync(temporary, { force: true })
  }
}

/** Three levels at most: `.cache/orlop/code`. A home that is not there is not made. */
function makeDirectory(directory, levels) {
  if (fs.existsSync(directory) || levels === 0) return
  makeDirectory(path.dirname(directory), levels - 1)
  fs.mkdirSync(directory, { mode: 0o700 })
}

/** Code of the same noun that was made from another bundle, or for another Node. */
function dropOthers(file) {
  const directory = path.dirname(file)
  const [noun] = path.basename(file).split('-')
  for (const name of fs.readdirSync(directory)) {
    if (name.startsWith(`${noun}-`)) fs.rmSync(path.join(directory, name), { force: true })
  }
}

/** A sum over all 32-bit words that sees their order. */
function sumOf({ buffer, byteOffset, length }) {
  const aligned =
    byteOffset % 4 === 0 ? [buffer, byteOffset] : [buffer.slice(byteOffset, byteOffset + length), 0]
  const words = new Uint32Array(...aligned, length >> 2)
  let sum = length
  for (let at = 0; at < words.length; at++) sum = (Math.imul(sum, 31) + words[at]) | 0
  return sum
}

start()
