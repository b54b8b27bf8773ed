import type { TarType } from '../../archive/types.ts'
import type { PlatformOptions } from '../../images/types.ts'
import type { Digest } from '../../oci/digest.ts'

/** What a file of an image is. `other`: a kind of tar entry that has no name here. */
export type FileType = Exclude<TarType, 'link'> | 'hardlink'

/** A layer as files name it. */
export interface LayerRef {
  /** 0 is the lowest. */
  readonly index: number
  /** As the manifest names it. */
  readonly digest: Digest
}

/** A file, directory, link or device of an image, as the tar of its layer says. */
export interface ImageFile {
  /** From the root, `/etc/passwd`; `/` is the root itself. Bytes that are not UTF-8 stand as lone surrogates from U+DC80. */
  readonly path: string
  readonly type: FileType
  /** Permissions and the set-id and sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes; 0 for all that are no files, hard links too. */
  readonly size: number
  /** Seconds since 1970, with a fraction where the tar has one. */
  readonly modifiedAt: number
  /** Where a symbolic link points, as it stands there; of a hard link the path of the file from the root. */
  readonly link?: string
  /** Major and minor number of a device. */
  readonly device?: readonly [major: number, minor: number]
  /** Extended attributes by name, capabilities among them. */
  readonly xattrs?: Readonly<Record<string, string>>
  /** The sha256 of a file's bytes, where it was asked for. */
  readonly content?: Digest
  /** Where it comes from. */
  readonly layer: LayerRef
}

/** What a layer says of the layers below it: that a path is gone, or that of a directory nothing shows through. */
export interface LayerMark {
  readonly path: string
  readonly type: 'whiteout' | 'opaque'
  readonly layer: LayerRef
}

/** Bounds of what is held in memory and read. */
export interface FileLimits {
  /** Entries of all layers together, and directories that they lie in; default 1 million. */
  readonly maxEntries?: number | undefined
  /** Bytes of their names, links and extended attributes; default 256 MiB. */
  readonly maxNameBytes?: number | undefined
  /** Bytes that are read of layers without their compression; default: no other bound than that against bombs. */
  readonly maxBytes?: number | undefined
}

/** Options of all that looks into an image. */
export interface FilesOptions extends PlatformOptions {
  readonly limits?: FileLimits | undefined
}
