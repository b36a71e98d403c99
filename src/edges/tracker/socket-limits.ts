/** What one browser, and all of them together, may cost; none of it is worth a key of the configuration. */

export const SOCKET_LIMITS = {
  /** A beat looks at every socket; the times below are counted in beats, so a clock that jumps cuts nobody. */
  beatMs: 10_000,
  /** Beats without a sound until a socket is asked for one. */
  pingBeats: 3,
  /** Beats without a sound, or after connecting without a message, until a socket is cut. */
  silentBeats: 6,
  /** Beats between two offers of a peer to the box: soon enough for one whose connection broke. */
  boxRetryBeats: 3,
  /** Beats that an offer waits for its answer; webtorrent and libtorrent give up after 50 to 60 s. */
  answerBeats: 6,
  /** Offers that one peer may leave unanswered before others are preferred to it. */
  maxUnanswered: 32,
  maxTorrentsPerSocket: 500,
  /** Bytes that wait for a reader until it is cut. */
  maxBufferedBytes: 128 * 1024,
  maxFrameBytes: 64 * 1024,
  /** Messages that cannot be read until their socket is cut. */
  maxFaults: 20,
  /** Messages beyond the rate, dropped unread, until their socket is cut. */
  maxDropped: 500,
  /** Offers that the box answers at the same time, that wait for it, and both of one socket or address. */
  boxAnswering: 8,
  boxWaiting: 128,
  boxPerSocket: 8,
  boxPerAddress: 24,
  /** Beats that a browser which was answered counts as one of its address: so long it may connect. */
  boxConnectBeats: 2,
  boxTimeoutMs: 20_000,
}

export type SocketLimits = typeof SOCKET_LIMITS
