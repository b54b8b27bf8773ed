/** Bytes of one message, either way; containerd's limit. */
export const maxMessageSize = 16 * 1024 * 1024

/** Calls that one connection may have open; more wait. */
export const maxStreams = 1000

/** Connections at one time; more are closed at once. */
export const maxConnections = 1000
