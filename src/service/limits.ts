/** Bytes of one message, either way; containerd's limit. */
export const maxMessageSize = 16 * 1024 * 1024

/** Calls that one connection may have open; more wait. */
export const maxStreams = 1000

/** Connections at one time; more are closed at once. */
export const maxConnections = 1000

/** Bytes that a client may send on a call before they are read; enough not to wait on a socket of one machine. */
export const callWindow = 256 * 1024

/** Bytes that a service may send on a call before they are read: with fewer, each of the two waits for the other. */
export const answerWindow = 1024 * 1024

/** Bytes of messages that are not read yet, of one connection and of all; over it calls fail, and others go on. */
export const maxUnread = { connection: 256 * 1024 * 1024, all: 512 * 1024 * 1024 } as const
