import fs, { type FileHandle } from 'node:fs/promises'

/** Calls to Node's file system that can be made to fail. */
export const faultPoints = [
  ...(['open', 'mkdir', 'rename', 'writeFile', 'readFile', 'readdir', 'stat', 'link', 'unlink'] as const),
  ...([
    'file.write',
    'file.sync',
    'file.datasync',
    'file.truncate',
    'file.stat',
    'file.read',
    'file.chmod',
    'file.utimes',
  ] as const),
] as const

/** One of them. */
export type FaultPoint = (typeof faultPoints)[number]

/** What shall go wrong. */
export interface Fault {
  readonly point: FaultPoint
  /** Which call of it, from 1; 0: none. */
  readonly at: number
  readonly errno: string
}

type Method = (...args: unknown[]) => Promise<unknown>

/**
 * Makes one call to Node's file system fail, once; of this whole process, so only for a process of its own.
 *
 * @returns for each point how often it was called since the fault was set
 */
export class FaultyFileSystem {
  readonly #counts = new Map<FaultPoint, number>()
  #fault: Fault | undefined
  #failed = false

  private constructor() {}

  /** Replaces the functions of `node:fs/promises` and the methods of its file handles. */
  static async install(directory: string): Promise<FaultyFileSystem> {
    const faulty = new FaultyFileSystem()
    const handle = await fs.open(directory, 'r')
    const prototype: FileHandle = Object.getPrototypeOf(handle)
    await handle.close()
    for (const point of faultPoints) {
      const name = point.replace('file.', '')
      faulty.#replace(point.startsWith('file.') ? prototype : fs, name, point)
    }
    return faulty
  }

  /** From now on calls are counted, and this fault happens. */
  set(fault: Fault | undefined): void {
    this.#counts.clear()
    this.#fault = fault
    this.#failed = false
  }

  /** True when the fault has happened. */
  get failed(): boolean {
    return this.#failed
  }

  count(point: FaultPoint): number {
    return this.#counts.get(point) ?? 0
  }

  #replace(owner: object, name: string, point: FaultPoint): void {
    const real: Method = Reflect.get(owner, name)
    const note = (): void => this.#note(point)
    const replaced = function (this: unknown, ...args: unknown[]): Promise<unknown> {
      try {
        note()
      } catch (error) {
        return Promise.reject(error)
      }
      return real.apply(this, args)
    }
    Object.defineProperty(owner, name, { value: replaced, configurable: true, writable: true })
  }

  #note(point: FaultPoint): void {
    const count = this.count(point) + 1
    this.#counts.set(point, count)
    const fault = this.#fault
    if (fault?.point !== point || fault.at !== count) return
    this.#failed = true
    const { errno } = fault
    throw Object.assign(new Error(`${errno}: injected, ${point} call ${count}`), {
      code: errno,
      syscall: point,
    })
  }
}
