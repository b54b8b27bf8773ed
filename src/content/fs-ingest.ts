import fs, { type FileHandle } from 'node:fs/promises'
import { type Algorithm, Digester } from '../oci/digest.ts'
import type { AbortOptions } from '../options.ts'
import { errnoOf, makeDirectory, readSmallFile, writeSynced } from './fs-durable.ts'
import { ingestFiles } from './fs-layout.ts'
import { hashFile } from './hash-file.ts'
import type { Status } from './types.ts'

/** An open ingest: its data file, and the hash of the bytes that are in it. */
export interface OpenIngest {
  readonly file: FileHandle
  readonly digester: Digester
  readonly status: Status
}

/** What the opener of an ingest says. */
export interface IngestInit extends AbortOptions {
  readonly ref: string
  readonly algorithm: Algorithm
  readonly total: number | undefined
  readonly now: Date
}

/**
 * Opens the ingest in `dir`, anew or where it was left.
 *
 * What is there is hashed again from the disk, whatever a crash has made of it. What cannot be the same ingest (another
 * ref, another total, files missing or garbled) is dropped and begun anew.
 */
export async function openIngest(dir: string, init: IngestInit): Promise<OpenIngest> {
  // Where there was no directory nothing need be looked for.
  if ((await makeDirectory(dir)) === undefined) {
    const before = await readStatus(dir)
    if (before !== undefined && continues(before, init)) return await resumeIngest(dir, before, init)
    await fs.rm(dir, { recursive: true, force: true })
    await makeDirectory(dir)
  }
  return await beginIngest(dir, init)
}

async function resumeIngest(dir: string, before: Status, init: IngestInit): Promise<OpenIngest> {
  const file = await openData(dir)
  try {
    const digester = new Digester(init.algorithm)
    const offset = await hashFile(file, digester, init)
    const total = before.total ?? init.total
    return { file, digester, status: { ...before, offset, ...(total !== undefined && { total }) } }
  } catch (error) {
    await file.close()
    throw error
  }
}

const continues = (before: Status, { ref, total }: IngestInit): boolean =>
  before.ref === ref && (!before.total || !total || before.total === total)

async function beginIngest(dir: string, { ref, algorithm, total, now }: IngestInit): Promise<OpenIngest> {
  const file = await openData(dir)
  const status = { ref, offset: 0, ...(total !== undefined && { total }), startedAt: now, updatedAt: now }
  try {
    await writeStatus(dir, status)
    return { file, digester: new Digester(algorithm), status }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Writes an ingest as it stands into a directory that does not exist; its bytes are durable then, as after any writer. */
export async function storeIngest(dir: string, bytes: Uint8Array, status: Status): Promise<void> {
  await fs.rm(dir, { recursive: true, force: true })
  await makeDirectory(dir)
  await writeSynced(ingestFiles(dir).data, bytes)
  await writeStatus(dir, status)
}

/**
 * Into a directory that was made a moment ago, so that nothing is replaced and no file needs another name first. The ref
 * comes last: an ingest without it, or with a part of it, is none, and so a crash in between leaves nothing that looks
 * whole.
 */
async function writeStatus(dir: string, { ref, total, startedAt, updatedAt }: Status): Promise<void> {
  const files = ingestFiles(dir)
  await fs.writeFile(files.startedAt, startedAt.toISOString())
  await fs.writeFile(files.updatedAt, updatedAt.toISOString())
  // As in containerd: no file means that the total is not known, and 0 is not told from it.
  if (total) await fs.writeFile(files.total, String(total))
  await fs.writeFile(files.ref, ref)
}

/** Removes the directory of an ingest, by the names that it is known to have; what else is in it goes too. */
export async function removeIngest(dir: string): Promise<void> {
  const unlinked = Object.values(ingestFiles(dir)).map(file => fs.unlink(file).catch(() => undefined))
  await Promise.all(unlinked)
  await fs.rmdir(dir).catch(() => fs.rm(dir, { recursive: true, force: true }))
}

async function openData(dir: string): Promise<FileHandle> {
  const { data } = ingestFiles(dir)
  const flags = fs.constants.O_RDWR | fs.constants.O_CREAT
  try {
    return await fs.open(data, flags, 0o666)
  } catch (error) {
    // A crash in a commit, after its chmod and before its rename, leaves the file read-only.
    if (errnoOf(error) !== 'EACCES') throw error
    await fs.chmod(data, 0o644)
    return await fs.open(data, flags)
  }
}

/** The state of the ingest in `dir` as the disk has it, or `undefined` when there is none or it cannot be read. */
export async function readStatus(dir: string): Promise<Status | undefined> {
  const files = ingestFiles(dir)
  const data = await statOf(files.data)
  const ref = await readSmallFile(files.ref)
  const startedAt = readDate(await readSmallFile(files.startedAt))
  const total = await readSmallFile(files.total)
  if (!data?.isFile() || !ref || startedAt === undefined || (total && !isTotal(total))) return undefined
  const updatedAt = readDate(await readSmallFile(files.updatedAt))?.getTime() ?? 0
  return {
    ref,
    offset: data.size,
    ...(total && { total: Number(total) }),
    startedAt,
    updatedAt: new Date(Math.max(updatedAt, Math.floor(data.mtimeMs))),
  }
}

const isTotal = (text: string): boolean => /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))

const readDate = (text: string | undefined): Date | undefined => {
  const date = new Date(text ?? '')
  return Number.isNaN(date.getTime()) ? undefined : date
}

const statOf = async (file: string) => {
  try {
    return await fs.stat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
