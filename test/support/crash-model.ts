/** What the program that is killed says: `about` before it changes or removes something, `done` when it is durable. */
export type CrashWord =
  | { readonly done: 'opened' }
  | { readonly done: 'blob'; readonly namespace: string; readonly lease: string; readonly digest: string }
  | { readonly about: 'lease gone'; readonly namespace: string; readonly lease: string }
  | {
      readonly about: 'image'
      readonly namespace: string
      readonly name: string
      /** Absent: it will be deleted. */
      readonly digest?: string
    }
  | { readonly done: 'image'; readonly namespace: string; readonly name: string; readonly digest?: string }

/** What must be there after a crash, as far as it was acknowledged. */
export class CrashModel {
  /** Of each image every digest that it may have; `undefined`: it may be absent. */
  readonly #images = new Map<string, ReadonlySet<string | undefined>>()
  readonly #blobs = new Map<string, string>()

  /** Takes what was said, in order. */
  hear(word: CrashWord): void {
    if ('done' in word && word.done === 'opened') return
    const { namespace } = word
    if ('about' in word && word.about === 'lease gone') {
      for (const [blob, lease] of this.#blobs) {
        if (lease === `${namespace} ${word.lease}`) this.#blobs.delete(blob)
      }
    } else if ('done' in word && word.done === 'blob') {
      this.#blobs.set(`${namespace} ${word.digest}`, `${namespace} ${word.lease}`)
    } else if ('name' in word) {
      const key = `${namespace} ${word.name}`
      const before = 'done' in word ? [] : (this.#images.get(key) ?? [undefined])
      this.#images.set(key, new Set([...before, word.digest]))
    }
  }

  /** The images that were heard of, as `<namespace> <name>`. */
  get images(): readonly string[] {
    return [...this.#images.keys()]
  }

  /** True when an image may have this digest, or be absent. */
  allows(image: string, digest: string | undefined): boolean {
    return (this.#images.get(image) ?? new Set([undefined])).has(digest)
  }

  /** What an image was found to be: from now on it is known. */
  settle(image: string, digest: string | undefined): void {
    this.#images.set(image, new Set([digest]))
  }

  /** Blobs that must be there: namespace and digest. */
  get blobs(): ReadonlyArray<readonly [string, string]> {
    return [...this.#blobs.keys()].map(key => {
      const [namespace = '', digest = ''] = key.split(' ')
      return [namespace, digest]
    })
  }
}
