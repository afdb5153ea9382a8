/** The numbers that both sides of the protocol keep to. */

/** No frame is longer. */
export const MAX_FRAME_BYTES = 262_144;

/** An update longer than this travels in pieces of this size. */
export const FRAGMENT_BYTES = 245_760;

/** A room's name in UTF-8. */
export const MAX_ROOM_BYTES = 128;

/** What one fragmented batch may add up to: more is refused before anything is kept. */
export const MAX_BATCH_BYTES = 256 * 1024 * 1024;

/** How many half-received batches may stand at once. */
export const MAX_OPEN_BATCHES = 64;

/** A half-received batch is given up when this long passes without a piece of it. */
export const FRAGMENT_IDLE_MILLISECONDS = 10_000;
