/* The parameters and results of every action. Rule: the SQS API, as the schemas of its official
 * SDKs have it. */

import {
  BODY,
  BYTES,
  FLAG,
  list,
  map,
  optional,
  required,
  struct,
  TEXT,
  type ValueOf,
  WHOLE,
} from './shape.ts';

export const NOTHING = struct({});

const ATTRIBUTE_VALUE = struct({
  DataType: optional(TEXT),
  StringValue: optional(TEXT),
  BinaryValue: optional(BYTES),
  StringListValues: optional(list('StringListValue', TEXT)),
  BinaryListValues: optional(list('BinaryListValue', BYTES)),
});
export const MESSAGE_ATTRIBUTES = map('MessageAttribute', ATTRIBUTE_VALUE);
const MESSAGE_SYSTEM_ATTRIBUTES = map('MessageSystemAttribute', ATTRIBUTE_VALUE);
const QUEUE_ATTRIBUTES = map('Attribute', TEXT);
const TAGS = map('Tag', TEXT, 'Key');

/** What says how a message is to be sent, alone or in a batch. */
const MESSAGE_TO_SEND = {
  MessageBody: required(BODY),
  DelaySeconds: optional(WHOLE),
  MessageAttributes: optional(MESSAGE_ATTRIBUTES),
  MessageSystemAttributes: optional(MESSAGE_SYSTEM_ATTRIBUTES),
  MessageDeduplicationId: optional(TEXT),
  MessageGroupId: optional(TEXT),
};

/** What says what became of a message that was sent. */
const SENT_MESSAGE = {
  MD5OfMessageBody: required(TEXT),
  MD5OfMessageAttributes: optional(TEXT),
  MD5OfMessageSystemAttributes: optional(TEXT),
  MessageId: required(TEXT),
  SequenceNumber: optional(TEXT),
};

const FAILED = optional(
  list(
    'BatchResultErrorEntry',
    struct({
      Id: required(TEXT),
      SenderFault: required(FLAG),
      Code: required(TEXT),
      Message: optional(TEXT),
    }),
  ),
);

const QUEUE = { QueueUrl: required(TEXT) };
const PAGE = { NextToken: optional(TEXT), MaxResults: optional(WHOLE) };

export const CREATE_QUEUE = struct({
  QueueName: required(TEXT),
  Attributes: optional(QUEUE_ATTRIBUTES),
  tags: optional(TAGS),
});
export const QUEUE_URL_RESULT = struct({ QueueUrl: optional(TEXT) });
export const QUEUE_ONLY = struct(QUEUE);
export const GET_QUEUE_URL = struct({
  QueueName: required(TEXT),
  QueueOwnerAWSAccountId: optional(TEXT),
});
export const LIST_QUEUES = struct({ QueueNamePrefix: optional(TEXT), ...PAGE });
export const LIST_QUEUES_RESULT = struct({
  QueueUrls: optional(list('QueueUrl', TEXT)),
  NextToken: optional(TEXT),
});
export const LIST_SOURCES = struct({ ...QUEUE, ...PAGE });
export const LIST_SOURCES_RESULT = struct({
  queueUrls: required(list('QueueUrl', TEXT)),
  NextToken: optional(TEXT),
});
export const GET_ATTRIBUTES = struct({
  ...QUEUE,
  AttributeNames: optional(list('AttributeName', TEXT)),
});
export const GET_ATTRIBUTES_RESULT = struct({ Attributes: optional(QUEUE_ATTRIBUTES) });
export const SET_ATTRIBUTES = struct({ ...QUEUE, Attributes: required(QUEUE_ATTRIBUTES) });

export const TAG_QUEUE = struct({ ...QUEUE, Tags: required(TAGS) });
export const UNTAG_QUEUE = struct({ ...QUEUE, TagKeys: required(list('TagKey', TEXT)) });
export const LIST_TAGS_RESULT = struct({ Tags: optional(TAGS) });

export const ADD_PERMISSION = struct({
  ...QUEUE,
  Label: required(TEXT),
  AWSAccountIds: required(list('AWSAccountId', TEXT)),
  Actions: required(list('ActionName', TEXT)),
});
export const REMOVE_PERMISSION = struct({ ...QUEUE, Label: required(TEXT) });

export const SEND_MESSAGE = struct({ ...QUEUE, ...MESSAGE_TO_SEND });
export const SEND_MESSAGE_RESULT = struct(SENT_MESSAGE);
export type SendResult = ValueOf<typeof SEND_MESSAGE_RESULT>;
export const SEND_BATCH = struct({
  ...QUEUE,
  Entries: optional(
    list('SendMessageBatchRequestEntry', struct({ Id: required(TEXT), ...MESSAGE_TO_SEND })),
  ),
});
export const SEND_BATCH_RESULT = struct({
  Successful: optional(
    list('SendMessageBatchResultEntry', struct({ Id: required(TEXT), ...SENT_MESSAGE })),
  ),
  Failed: FAILED,
});

export const RECEIVE_MESSAGE = struct({
  ...QUEUE,
  AttributeNames: optional(list('AttributeName', TEXT)),
  MessageSystemAttributeNames: optional(list('MessageSystemAttributeName', TEXT)),
  MessageAttributeNames: optional(list('MessageAttributeName', TEXT)),
  MaxNumberOfMessages: optional(WHOLE),
  VisibilityTimeout: optional(WHOLE),
  WaitTimeSeconds: optional(WHOLE),
  ReceiveRequestAttemptId: optional(TEXT),
});
export const RECEIVE_MESSAGE_RESULT = struct({
  Messages: optional(
    list(
      'Message',
      struct({
        MessageId: required(TEXT),
        ReceiptHandle: required(TEXT),
        MD5OfBody: required(TEXT),
        Body: required(TEXT),
        Attributes: optional(map('Attribute', TEXT)),
        MD5OfMessageAttributes: optional(TEXT),
        MessageAttributes: optional(MESSAGE_ATTRIBUTES),
      }),
    ),
  ),
});

export type ReceivedMessage = NonNullable<
  ValueOf<typeof RECEIVE_MESSAGE_RESULT>['Messages']
>[number];

const RECEIPT = { ReceiptHandle: required(TEXT) };
const ID_ONLY = struct({ Id: required(TEXT) });

export const DELETE_MESSAGE = struct({ ...QUEUE, ...RECEIPT });
export const DELETE_BATCH = struct({
  ...QUEUE,
  Entries: optional(
    list('DeleteMessageBatchRequestEntry', struct({ Id: required(TEXT), ...RECEIPT })),
  ),
});
export const DELETE_BATCH_RESULT = struct({
  Successful: optional(list('DeleteMessageBatchResultEntry', ID_ONLY)),
  Failed: FAILED,
});
export const CHANGE_VISIBILITY = struct({
  ...QUEUE,
  ...RECEIPT,
  VisibilityTimeout: required(WHOLE),
});
export const CHANGE_VISIBILITY_BATCH = struct({
  ...QUEUE,
  Entries: optional(
    list(
      'ChangeMessageVisibilityBatchRequestEntry',
      struct({ Id: required(TEXT), ...RECEIPT, VisibilityTimeout: optional(WHOLE) }),
    ),
  ),
});
export const CHANGE_VISIBILITY_BATCH_RESULT = struct({
  Successful: optional(list('ChangeMessageVisibilityBatchResultEntry', ID_ONLY)),
  Failed: FAILED,
});

export const START_MOVE_TASK = struct({
  SourceArn: required(TEXT),
  DestinationArn: optional(TEXT),
  MaxNumberOfMessagesPerSecond: optional(WHOLE),
});
export const START_MOVE_TASK_RESULT = struct({ TaskHandle: optional(TEXT) });
export const LIST_MOVE_TASKS = struct({
  SourceArn: required(TEXT),
  MaxResults: optional(WHOLE),
});
export const LIST_MOVE_TASKS_RESULT = struct({
  Results: optional(
    list(
      'ListMessageMoveTasksResultEntry',
      struct({
        TaskHandle: optional(TEXT),
        Status: optional(TEXT),
        SourceArn: optional(TEXT),
        DestinationArn: optional(TEXT),
        MaxNumberOfMessagesPerSecond: optional(WHOLE),
        ApproximateNumberOfMessagesMoved: optional(WHOLE),
        ApproximateNumberOfMessagesToMove: optional(WHOLE),
        FailureReason: optional(TEXT),
        StartedTimestamp: optional(WHOLE),
      }),
    ),
  ),
});
export const CANCEL_MOVE_TASK = struct({ TaskHandle: required(TEXT) });
export const CANCEL_MOVE_TASK_RESULT = struct({
  ApproximateNumberOfMessagesMoved: optional(WHOLE),
});
