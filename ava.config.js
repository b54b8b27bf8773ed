// The built files are tested: run `npm run build` first (`npm test` does).
export default {
  files: ['dist/test/**/*.test.js'],
  timeout: '3m',
  workerThreads: false,
}
