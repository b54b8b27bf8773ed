import { setTimeout as sleep } from 'node:timers/promises'
import { isUnavailable } from '../../errors.ts'
import type { AbortOptions } from '../../options.ts'
import type { RuntimeOptions } from '../../runtime/runtime.ts'
import type { Store } from '../../runtime/store.ts'
import { fateOf } from '../fate.ts'
import { visitStore } from '../guest.ts'
import type { Member } from '../member.ts'
import { ownStore } from '../owner.ts'

/** What a `Membership` is made from. */
export interface MembershipOptions extends RuntimeOptions {
  /** Takes lines about what clients of this process cannot be told. */
  readonly log?: ((line: string) => void) | undefined
}

/** Milliseconds for which a store may be held and nobody answer: its owner has just started, or is ending. */
const patience = 10_000

/** Milliseconds between attempts, at most. */
const pause = 100

/** Owners that may end in a row before one answers a call. */
const maxLosses = 100

/** The part of a process in a store, which outlives the processes that own it. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #ended = new AbortController()
  #member: Promise<Member>
  #current: Member
  /** Guests' connections to owners that have ended; calls may still be on them. */
  readonly #past: Member[] = []
  #losses = 0

  private constructor(options: MembershipOptions, member: Member) {
    this.#options = options
    this.#member = Promise.resolve(member)
    this.#current = member
  }

  /** Throws as `Runtime.open`; UNAVAILABLE when the store is held and nobody answers for ten seconds. */
  static async join(options: MembershipOptions, { signal }: AbortOptions = {}): Promise<Membership> {
    return new Membership(options, await elect(options, { signal }))
  }

  /** The store as it was last reached; for what must begin at once. */
  get current(): Member {
    return this.#current
  }

  /** The store as it is reached now. */
  member(): Promise<Member> {
    return this.#member
  }

  /**
   * Does `work`, again when the owner ended beneath it; `isRepeated` tells that what it did may have been done.
   */
  async run<T>(
    work: (store: Store, isRepeated: boolean) => Promise<T>,
    options: AbortOptions = {},
  ): Promise<T> {
    return this.#run((member, isRepeated) => work(member.store, isRepeated), options)
  }

  /** Collects what nothing keeps; as `Member.collect`. */
  collect(namespace: string, options: AbortOptions = {}): Promise<number | undefined> {
    return this.#run(member => member.collect(namespace, options), options)
  }

  async #run<T>(
    work: (member: Member, isRepeated: boolean) => Promise<T>,
    { signal }: AbortOptions,
  ): Promise<T> {
    for (let isRepeated = false; ; ) {
      const member = await this.#member
      try {
        const result = await work(member, isRepeated)
        this.#losses = 0
        return result
      } catch (error) {
        isRepeated ||= fateOf(error) === 'lost'
        await this.recover(member, error, { signal })
      }
    }
  }

  /** Resolves when there is another owner after the one whose end is told by `error`; throws what tells of no end. */
  async recover(from: Member, error: unknown, { signal }: AbortOptions = {}): Promise<void> {
    if (fateOf(error) === undefined || this.#ended.signal.aborted) throw error
    await this.replace(from, { signal })
    if (++this.#losses > maxLosses) throw error
  }

  /** Resolves when there is another owner after `from`. */
  async replace(from: Member, { signal }: AbortOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    if ((await this.#member) !== from) return
    const next = this.#next(from)
    this.#member = next
    // Whoever calls next tries again.
    next.catch(() => {
      if (this.#member === next) this.#member = Promise.resolve(from)
    })
    await next
  }

  async #next(from: Member): Promise<Member> {
    if (from.runtime !== undefined) return from
    this.#past.push(from)
    await wait({ signal: this.#ended.signal })
    const member = await elect(this.#options, { signal: this.#ended.signal })
    this.#current = member
    return member
  }

  /**
   * Becomes the owner as soon as the one there is has ended.
   *
   * @throws UNAVAILABLE  it has not ended in ten seconds; the text names it
   */
  async own({ signal }: AbortOptions = {}): Promise<Member & Required<Pick<Member, 'runtime'>>> {
    for (const deadline = Date.now() + patience; ; ) {
      const { runtime, ...member } = await this.#member
      if (runtime !== undefined) return { ...member, runtime }
      try {
        const owner = await ownStore(this.#options, { log: this.#options.log, signal })
        this.#past.push(member)
        this.#current = owner
        this.#member = Promise.resolve(owner)
      } catch (error) {
        if (!isUnavailable(error) || Date.now() > deadline) throw error
        await wait({ signal })
      }
    }
  }

  /** Ends it. An owner waits for the calls of its guests, for a while, or until the signal fires. */
  async leave(options: AbortOptions = {}): Promise<void> {
    this.#ended.abort()
    await this.#member.catch(() => undefined)
    for (const member of this.#past) await member.leave(options)
    await this.#current.leave(options)
  }
}

/** A guest where an owner answers, else the owner. */
async function elect(options: MembershipOptions, { signal }: AbortOptions): Promise<Member> {
  const { root, log } = options
  for (const deadline = Date.now() + patience; ; ) {
    const guest = await visitStore(root)
    if (guest !== undefined) return guest
    try {
      return await ownStore(options, { log, signal })
    } catch (error) {
      if (!isUnavailable(error) || Date.now() > deadline) throw error
    }
    await wait({ signal })
  }
}

async function wait({ signal }: AbortOptions): Promise<void> {
  await sleep(10 + Math.random() * pause, undefined, { signal }).catch(error => {
    signal?.throwIfAborted()
    throw error
  })
}
