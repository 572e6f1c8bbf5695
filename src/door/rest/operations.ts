/* Every operation of the REST door. */

import { MESSAGE_OPERATIONS } from './message-operations.ts';
import type { Operation } from './operation.ts';
import { QUEUE_OPERATIONS } from './queue-operations.ts';
import { REDRIVE_OPERATIONS } from './redrive-operations.ts';

export const OPERATIONS: readonly Operation[] = [
  ...QUEUE_OPERATIONS,
  ...MESSAGE_OPERATIONS,
  ...REDRIVE_OPERATIONS,
];
