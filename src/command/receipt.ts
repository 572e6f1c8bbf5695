/* What a receipt handle says, without its MAC: what partition, which message, which delivery. */

/** Names one delivery of one message within a partition. */
export interface Receipt {
  readonly partition: number;
  /** The message's place in the partition's message table, u32. */
  readonly slot: number;
  /** The low 32 bits of the message's sequence number. */
  readonly sequenceLow: number;
  /** The low 32 bits of the delivery's number, partition-wide. */
  readonly delivery: number;
}

/** In commands: slot, sequence low, delivery; u32 each, little endian. */
export const RECEIPT_BYTES = 12;
