// What is done to packages so that they can be bundled, or start faster. Plugins of esbuild.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const { version } = createRequire(import.meta.url)('classic-level/package.json')

/** Where the release of classic-level is installed whose JavaScript is bundled; undefined when it is not. */
const directory = `
const path = require('node:path')
const found = ask => {
  try {
    const file = ask().resolve('classic-level/package.json')
    return require(file).version === '${version}' ? path.dirname(file) : undefined
  } catch {
    return undefined
  }
}
// Package managers that do not hoist have it beside level alone.
module.exports = found(() => require) ?? found(() => require('node:module').createRequire(require.resolve('level')))
`

const inside = {
  level: `
exports.Level = require('orlop:directory') ? require('classic-level').ClassicLevel : require('orlop:outside').Level
`,
  'orlop:directory': directory,
}

/**
 * Bundles the JavaScript of `level`, of which 25 files would be looked for and compiled at each start.
 *
 * Its native addon is taken from where it is installed, and only when it is of the very release whose JavaScript is here;
 * else `level` is loaded from there as a whole.
 */
export const level = {
  name: 'level',
  setup(build) {
    build.onResolve({ filter: /^(?:level|orlop:directory)$/ }, ({ path: name }) => ({
      path: name,
      namespace: 'inside',
    }))
    build.onResolve({ filter: /^orlop:outside$/ }, () => ({ path: 'level', external: true }))
    build.onLoad({ filter: /.*/, namespace: 'inside' }, ({ path: name }) => ({
      contents: inside[name],
      resolveDir: '.',
    }))
    build.onLoad({ filter: /classic-level[\\/]binding\.js$/ }, () => ({
      contents: "module.exports = require('node-gyp-build')(require('orlop:directory'))",
    }))
  },
}

/**
 * Bundles the part of undici that is used, a third of it: its main module loads `fetch`, WebSocket, caches and mocks as well,
 * 60 ms at each first request. What is here has the names of that module; the release is the one that is installed when
 * this is built.
 */
export const undici = {
  name: 'undici',
  setup(build) {
    build.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'part' }))
    build.onLoad({ filter: /^undici$/, namespace: 'part' }, () => ({
      contents: `
import api from 'undici/lib/api/index.js'
import buildConnector from 'undici/lib/core/connect.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js'
Object.assign(Dispatcher.prototype, api)
export { Agent, buildConnector, ProxyAgent }
`,
      resolveDir: '.',
    }))
  },
}

/** Commander starts other programs for commands of a kind that is not used here, and loads a tenth of Node for it. */
export const commander = {
  name: 'commander',
  setup(build) {
    build.onLoad({ filter: /commander[\\/]lib[\\/]command\.js$/ }, ({ path: file }) => {
      const text = fs.readFileSync(file, 'utf8')
      const line = "const childProcess = require('node:child_process');\n"
      if (!text.includes(line)) throw new Error(`${path.relative('.', file)}: has not the line ${line}`)
      const later =
        "const childProcess = { spawn: (...args) => require('node:child_process').spawn(...args) };\n"
      return { contents: text.replace(line, later) }
    })
  },
}
