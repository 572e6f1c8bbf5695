/* The entry `capstan/client`: everything that a remote client needs, and nothing of the server.
 * Runs on Node and in browsers. */

export { BrokerError, type ErrorCode } from '../base/errors.ts';
export { Broker, type RedriveOptions } from './broker.ts';
export { type ConnectOptions, connect } from './connect.ts';
export {
  type ConsumeOptions,
  Consumer,
  type HandlerOptions,
  type MessageHandler,
} from './consumer.ts';
export { Message, type ReceiptSource } from './message.ts';
export { Queue } from './queue.ts';
export type { ReceiptResults } from './transport.ts';
export type * from './types.ts';
