#!/usr/bin/env node
'use strict'
// Starts the command line: from its bundle where there is one, which takes a quarter of the time, else from its modules.
// CommonJS, for Node's loader of ES modules would take longer to load than all that is here; and what is here is compiled
// anew at each start, so it is short.
const fs = require('node:fs')
const path = require('node:path')

/** Made by scripts/bundle.js, which says what is in it. */
const bundle = path.join(__dirname, '../dist/bundle/orlop.cjs')
/** Written by each `tsc` that changes a module; the published package has none. */
const compiled = path.join(__dirname, '../dist/.tsbuildinfo')
/** Bytes at the start of the bundle that hold its index. */
const headSize = 16 * 1024
/**
 * Commands that ask registries. Their HTTP parser is WebAssembly, and V8 optimizes its largest function after a few answers:
 * 190 ms and 40 MB in a thread that Node waits for at the end of the process, more than a command can win by it.
 */
const remote = /^(copy|registry)|-(fetch|pull|push)/
/**
 * Commands that move bytes. Their buffers lie outside of V8's heap, and it begins to mark that heap, small as it is, in steps
 * and beside the work, for each 64 MB of them: a fifth of the CPU time of a pull. Whole at a time that takes 3 ms.
 */
const moving = /^copy|-(convert|export|fetch|get|import|ingest|pull|push)/

async function start() {
  const opened = openBundle()
  const { main } = opened ? fromBundle(opened) : await import('../dist/src/cli/main.js')
  await main()
}

/** Undefined as well when modules were compiled again and the bundle was not. */
function openBundle() {
  try {
    const fd = fs.openSync(bundle, 'r')
    const { mtimeMs } = fs.fstatSync(fd)
    const changed = fs.statSync(compiled, { throwIfNoEntry: false })?.mtimeMs
    if (changed !== undefined && mtimeMs < changed) return undefined
    return { fd, mtimeMs }
  } catch {
    return undefined
  }
}

/**
 * Runs those chunks of the bundle that are asked for, with the code that V8 made of them at an earlier run.
 *
 * That is kept in the user's cache directory, one file for each command, for each uses other functions.
 * `NODE_DISABLE_COMPILE_CACHE=1` turns that off, as it does Node's own cache.
 */
function fromBundle({ fd, mtimeMs }) {
  const { Script } = require('node:vm')
  const head = read(fd, 0, headSize)
  const { sum, chunks, commands } = JSON.parse(head.slice(2, head.indexOf('\n')))
  const [, , noun, verb] = process.argv
  const words = [`${noun} ${verb}`, noun].find(known => Object.hasOwn(commands, known))
  const command = words ? commands[words] : 'orlop'
  // Before any code is loaded, for V8 refuses what it has kept under other flags.
  if (remote.test(command)) require('node:v8').setFlagsFromString('--liftoff-only')
  if (moving.test(command)) require('node:v8').setFlagsFromString('--no-incremental-marking')
  const cache = cacheFile(`${command}@${process.version}-${process.arch}-${sum}-${Math.round(mtimeMs)}.bin`)
  const cached = (cache && readCache(cache)) ?? new Map()
  const loaded = new Map()
  const scripts = new Map()
  const load = id => {
    const found = loaded.get(id)
    if (found) return found
    const [offset, length, line] = chunks[id]
    const source =
      offset + length <= headSize ? head.slice(offset, offset + length) : read(fd, offset, length)
    const cachedData = cached.get(id)
    const script = new Script(source, {
      filename: bundle,
      lineOffset: line - 1,
      ...(cachedData && { cachedData }),
    })
    if (!cachedData || script.cachedDataRejected) scripts.set(id, script)
    const exported = script.runInThisContext()(load, require)
    loaded.set(id, exported)
    return exported
  }
  load.later = id => Promise.resolve().then(() => load(id))
  if (cache) {
    process.once('exit', () => {
      if (scripts.size > 0) writeCache(cache, cached, scripts)
    })
  }
  return load(0)
}

function read(fd, offset, length) {
  const bytes = Buffer.allocUnsafeSlow(length)
  return bytes.latin1Slice(0, fs.readSync(fd, bytes, 0, length, offset))
}

/**
 * Its name says what the code was made from, by a sum: of the source V8 looks at the length alone, and packages come with
 * times that are all the same. V8 looks at its own version and flags itself.
 */
function cacheFile(name) {
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return undefined
  const home = process.env.XDG_CACHE_HOME || path.join(homeDirectory(), '.cache')
  return path.isAbsolute(home) ? path.join(home, 'orlop', 'code', name) : undefined
}

/** Empty where there is none: a user without a name, as in containers, in an environment without HOME. */
function homeDirectory() {
  try {
    return process.env.HOME || require('node:os').homedir()
  } catch {
    return ''
  }
}

/**
 * The code of each chunk in a file: sum and length of the index, `[[chunk, offset, length], …]`, and what it tells of.
 *
 * Code is run unseen, so the file must be ours alone; and V8 crashes on a torn one, so its sum is looked at.
 * Whatever is wrong with it, it is as if it were not there.
 */
function readCache(file) {
  let fd
  try {
    fd = fs.openSync(file, 'r')
    const { uid, mode, size } = fs.fstatSync(fd)
    if (process.getuid && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined
    const bytes = Buffer.allocUnsafeSlow(size)
    if (size < 8 || fs.readSync(fd, bytes, 0, size, 0) !== size) return undefined
    if (bytes.readInt32LE(0) !== sumOf(bytes)) return undefined
    const index = JSON.parse(bytes.latin1Slice(8, 8 + bytes.readInt32LE(4)))
    return new Map(index.map(([id, offset, length]) => [id, bytes.subarray(offset, offset + length)]))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** Adds the code of scripts to what was cached. Without it the next start takes longer, and that is all. */
function writeCache(file, cached, scripts) {
  const temporary = `${file}.${process.pid}`
  try {
    for (const [id, script] of scripts) cached.set(id, script.createCachedData())
    makeDirectory(path.dirname(file), 3)
    dropOthers(file)
    fs.writeFileSync(temporary, packed(cached), { mode: 0o600, flag: 'wx' })
    fs.renameSync(temporary, file)
  } catch {
    try {
      fs.rmSync(temporary, { force: true })
    } catch {
      // There is nothing to take away, or it cannot be.
    }
  }
}

function packed(codes) {
  // V8 copies code that does not begin at a multiple of eight.
  const aligned = offset => Math.ceil(offset / 8) * 8
  const place = start => {
    let end = aligned(start)
    return [...codes].map(([id, { length }]) => {
      const offset = end
      end = aligned(offset + length)
      return [id, offset, length]
    })
  }
  const longest = JSON.stringify(place(2 ** 30)).length
  const index = place(8 + longest)
  const [, offset, length] = index.at(-1)
  const bytes = Buffer.alloc(aligned(offset + length))
  const written = bytes.write(JSON.stringify(index), 8, 'latin1')
  bytes.writeInt32LE(written, 4)
  for (const [id, at] of index) bytes.set(codes.get(id), at)
  bytes.writeInt32LE(sumOf(bytes), 0)
  return bytes
}

/** Three levels at most: `.cache/orlop/code`. A home that is not there is not made. */
function makeDirectory(directory, levels) {
  if (fs.existsSync(directory) || levels === 0) return
  makeDirectory(path.dirname(directory), levels - 1)
  fs.mkdirSync(directory, { mode: 0o700 })
}

/** Code of the same command that was made from another bundle, or for another Node. */
function dropOthers(file) {
  const directory = path.dirname(file)
  const [command] = path.basename(file).split('@')
  for (const name of fs.readdirSync(directory)) {
    if (name.startsWith(`${command}@`)) fs.rmSync(path.join(directory, name), { force: true })
  }
}

/** A sum over all but the first word. What has much code opens the store and hashes, so OpenSSL is loaded in any case. */
function sumOf(bytes) {
  if (bytes.length < 150_000) return sumOfWords(bytes)
  return require('node:crypto').createHash('sha256').update(bytes.subarray(4)).digest().readInt32LE(0)
}

/** One that sees the order of words. Eight at once, for it runs in V8's interpreter. */
function sumOfWords({ buffer, byteOffset, length }) {
  const words = new Int32Array(buffer, byteOffset, length >> 2)
  const end = words.length
  let [sum, order] = [length, 0]
  let at = 1
  for (; at + 8 <= end; at += 8) {
    sum +=
      words[at] +
      words[at + 1] +
      words[at + 2] +
      words[at + 3] +
      words[at + 4] +
      words[at + 5] +
      words[at + 6] +
      words[at + 7]
    sum |= 0
    order = (order + sum) | 0
  }
  for (; at < end; at++) order = (order + words[at]) | 0
  return sum ^ order
}

start()
