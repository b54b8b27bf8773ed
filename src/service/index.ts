/**
 * One store under several processes.
 *
 * `openShared({root})` gives the stores that `Runtime.open` gives, whether this process holds the database or another one
 * does: the one that has it open serves the others by a socket, and when it ends or is killed another takes over.
 *
 * gRPC is loaded only when somebody connects, or when there is somebody to connect to.
 */
export type { MembershipOptions } from './shared/membership.ts'
export { openShared, type SharedStore } from './shared/open.ts'
