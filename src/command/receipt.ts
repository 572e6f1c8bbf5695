/* A receipt as it crosses a ring: it names one delivery of one message within a partition, without
 * the MAC that a receipt handle has. Three words of 32 bits, little endian:
 *
 *   0      4              8          12
 *   +------+--------------+----------+
 *   | slot | sequence low | delivery |
 *   +------+--------------+----------+
 *   slot            the message's place in the partition's message table
 *   sequence low    the low 32 bits of the message's sequence number
 *   delivery        the low 32 bits of the delivery's number, partition-wide */

export const RECEIPT_BYTES = 12;
