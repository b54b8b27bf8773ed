import type { Digest } from '../oci/digest.ts'

/** What an entry of a tar is. `other`: a kind that has no name here, such as a label of a tape. */
export type TarType =
  | 'file'
  | 'link'
  | 'symlink'
  | 'directory'
  | 'character-device'
  | 'block-device'
  | 'fifo'
  | 'other'

/** What a tar says of one entry. Names are as they stand there: they may be absolute or lead out, see `entryPath`. */
export interface TarHeader {
  /**
   * Never empty, never with NUL, at most 4096 bytes. Bytes that are not UTF-8 stand as lone surrogates from U+DC80, so that
   * no two names become one.
   */
  readonly name: string
  readonly type: TarType
  /** Bytes of the body; 0 for all that have none. Of a sparse file the bytes it would have in full. */
  readonly size: number
  /** Where a link points, for `link` and `symlink`; else ''. */
  readonly linkName: string
  /** Permissions and the set-id and sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly userName: string
  readonly groupName: string
  /** Seconds since 1970, with a fraction where the tar has one. */
  readonly modifiedAt: number
  /** Numbers of a device; else 0. */
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** Records of the entry's pax header, those too that the fields above come from; extended attributes are among them. */
  readonly pax: ReadonlyMap<string, string>
}

/** An entry of a tar that is read from front to back. */
export interface TarEntry extends TarHeader {
  /** True: holes were left out of the body, which is not read then. */
  readonly isSparse: boolean
  /** Where the body begins, in bytes from the start of the tar. */
  readonly offset: number
  /**
   * The bytes of the body, once, and only until the next entry is asked for. What is not read is passed over.
   *
   * @throws DATA_LOSS  the tar ends before the body does
   * @throws UNIMPLEMENTED  a sparse file
   */
  body(): AsyncGenerator<Uint8Array, void, undefined>
}

/** Bytes that come one after the other; a source that can, as a file, passes over some without reading them. */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  /** Passes over bytes that come after those given out. At the end it stops, as reading would. */
  skip?(bytes: number): Promise<void>
}

/** A file of an archive that is in a content store. */
export interface StoredFile {
  readonly digest: Digest
  readonly size: number
}

/**
 * Where one file of an archive stands. Of one that is read: its bytes are `storing`, then it is `stored`, or it was `present`
 * in the store. Of one that is written: `writing`, then `written`.
 */
export interface FileEvent {
  readonly type: 'storing' | 'stored' | 'present' | 'writing' | 'written'
  /** In the archive. */
  readonly path: string
  /** Known from the start for `blobs/sha256/…`, for others when they are stored. */
  readonly digest?: Digest
  readonly size: number
  /** Bytes so far. */
  readonly offset: number
}

/** Takes events of files. It must not throw. */
export type OnFile = (event: FileEvent) => void
