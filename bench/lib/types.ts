/** What one run took. */
export interface Sample {
  readonly wallMs: number
  /** User and system time of all processes that took part. */
  readonly cpuMs: number
  /**
   * The largest resident size of the process that did it, in bytes; the sum, where a command and its daemon did. The bench's
   * own client, which is the same for all, is not counted.
   */
  readonly peakBytes: number
  /** From and to disk, in bytes, as the kernel counts them. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** Pieces of work done, where the case counts them. */
  readonly count?: number | undefined
  /** The longest time for which others were held up, where that is known. */
  readonly pauseMs?: number | undefined
}

/** One way of doing what a case measures. */
export interface Contender {
  readonly name: string
  /** `ours` is compared with each `peer`; a `limit` is what the machine allows. */
  readonly kind: 'ours' | 'peer' | 'limit'
  /** Before each run, not measured. */
  readonly prepare?: () => Promise<void>
  readonly run: () => Promise<Sample>
}

/** A bound that a case is held to. */
export interface Target {
  /** A name of a contender, or the limits' longest with `limits`. */
  readonly against: string
  readonly measure: 'wall' | 'cpu' | 'peak' | 'pause'
  /** Ours divided by theirs must not be over it. */
  readonly atMost: number
}

/** What is measured, by whom, and what is expected. */
export interface Case {
  readonly name: string
  readonly title: string
  readonly contenders: readonly Contender[]
  readonly targets?: readonly Target[]
}

/** Makes the contenders of a case; what it starts ends in teardown. */
export type CaseMaker = (bench: Bench) => Promise<readonly Case[]>

/** What the cases share. */
export interface Bench {
  /** Scratch space; removed at the end. */
  readonly directory: string
  /** Bytes that the large image has about. */
  readonly imageBytes: number
  /** 1 for the full size; smaller for a first look. */
  readonly scale: number
  readonly runs: number
  note(text: string): void
  teardown(work: () => void | Promise<void>): void
}
