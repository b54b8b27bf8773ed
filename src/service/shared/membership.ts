import type { AbortOptions } from '../../options.ts'
import type { RuntimeOptions } from '../../runtime/runtime.ts'
import type { Store } from '../../runtime/store.ts'
import type { Verbs } from '../../runtime/verbs.ts'
import { fateOf } from '../fate.ts'
import { visitStore } from '../guest.ts'
import type { Member } from '../member.ts'
import { orAborted } from '../or-aborted.ts'
import { ownStore } from '../owner.ts'
import { patience, pause, whileHeld } from './held.ts'

/** What a `Membership` is made from. */
export interface MembershipOptions extends RuntimeOptions {
  /** Takes lines about what clients of this process cannot be told. */
  readonly log?: ((line: string) => void) | undefined
  /** Milliseconds for which a first owner lets nobody else in; default 0. See `OwnOptions`. */
  readonly shareAfter?: number | undefined
}

/** Owners that may end in a row before one answers a call. */
const maxLosses = 100

/** The part of a process in a store, which outlives the processes that own it. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #ended = new AbortController()
  #current: Member
  /** While there is nobody to call, who will be. */
  #next: Promise<Member> | undefined
  /** Guests' connections to owners that have ended; calls may still be on them. */
  readonly #past: Member[] = []
  #losses = 0

  private constructor(options: MembershipOptions, member: Member) {
    this.#options = options
    this.#current = member
  }

  /** Throws as `Runtime.open`; UNAVAILABLE when one process holds the store, and nobody answers. */
  static async join(options: MembershipOptions, { signal }: AbortOptions = {}): Promise<Membership> {
    return new Membership(options, await elect(options, { signal }))
  }

  /** The store as it was last reached; for what must begin at once. */
  get current(): Member {
    return this.#current
  }

  /** The store as it is reached now. */
  async member(): Promise<Member> {
    return this.#next ?? this.#current
  }

  /**
   * Does `work`, again when the owner ended beneath it; `isRepeated` tells that what it did may have been done.
   */
  run<T>(work: (store: Store, isRepeated: boolean) => Promise<T>, options: AbortOptions = {}): Promise<T> {
    return this.#run((member, isRepeated) => work(member.store, isRepeated), options)
  }

  /** As `run`, of the verbs. */
  verb<T>(work: (verbs: Verbs) => Promise<T>, options: AbortOptions = {}): Promise<T> {
    return this.#run(({ verbs }) => work(verbs), options)
  }

  async #run<T>(
    work: (member: Member, isRepeated: boolean) => Promise<T>,
    { signal }: AbortOptions,
  ): Promise<T> {
    for (let isRepeated = false; ; ) {
      const member = await until(this.member(), signal)
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
    if (this.#current !== from) return
    const taken: Promise<unknown> = this.#next ?? this.#turn(() => this.#succeed())
    await until(taken, signal)
  }

  /** Makes `next` the one to call; when there is none, it stays as it was, and whoever calls next tries again. */
  async #turn(next: () => Promise<Member>): Promise<void> {
    const before = this.#current
    const coming = next()
    this.#next = coming.catch(() => before)
    try {
      this.#current = await coming
      if (this.#current !== before) this.#past.push(before)
    } finally {
      this.#next = undefined
    }
  }

  async #succeed(): Promise<Member> {
    const { signal } = this.#ended
    if (this.#current.isOwner) return this.#current
    await pause({ signal })
    // Others are waiting.
    return await elect({ ...this.#options, shareAfter: 0 }, { signal })
  }

  /** Ends it. An owner waits for the calls of its guests, for a while, or until the signal fires. */
  async leave(options: AbortOptions = {}): Promise<void> {
    this.#ended.abort()
    await this.#next
    for (const member of this.#past) await member.leave(options)
    await this.#current.leave(options)
  }
}

const until = <T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  signal === undefined ? work : orAborted(work, signal)

/** A guest where an owner answers, else the owner. */
function elect(options: MembershipOptions, { signal }: AbortOptions): Promise<Member> {
  const { log, shareAfter } = options
  return whileHeld(
    options.root,
    async () => (await visitStore(options.root)) ?? (await ownStore(options, { log, shareAfter, signal })),
    // One that shares is starting or ending.
    owner => (owner?.shares === undefined ? patience : 3 * patience),
    { signal },
  )
}
