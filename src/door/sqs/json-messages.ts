/* Writes the results of the message actions as JSON: what json-codec.ts would write, text by text,
 * without a tree in between. */

import type { FailedEntry } from './batch.ts';
import { writeJson } from './json-codec.ts';
import type { ValueOf } from './shape.ts';
import * as shapes from './shapes.ts';

/** What ids, digests and numbers are made of needs no escapes. */
export function sendResultJson(result: shapes.SendResult): string {
  return `{${sendFieldsJson(result)}}`;
}

function sendFieldsJson(result: shapes.SendResult): string {
  const { MD5OfMessageAttributes, MD5OfMessageSystemAttributes, SequenceNumber } = result;
  let json = `"MessageId":"${result.MessageId}","MD5OfMessageBody":"${result.MD5OfMessageBody}"`;
  if (MD5OfMessageAttributes !== undefined) {
    json += `,"MD5OfMessageAttributes":"${MD5OfMessageAttributes}"`;
  }
  if (MD5OfMessageSystemAttributes !== undefined) {
    json += `,"MD5OfMessageSystemAttributes":"${MD5OfMessageSystemAttributes}"`;
  }
  if (SequenceNumber !== undefined) json += `,"SequenceNumber":"${SequenceNumber}"`;
  return json;
}

export function sendBatchResultJson(result: ValueOf<typeof shapes.SEND_BATCH_RESULT>): string {
  const { Successful, Failed } = result;
  let json = '';
  if (Successful !== undefined) {
    for (const entry of Successful) {
      json += `${json === '' ? '' : ','}{"Id":"${entry.Id}",${sendFieldsJson(entry)}}`;
    }
  }
  return batchJson(json, Failed);
}

/** Of deletes and changes of visibility. */
export function idsResultJson(result: ValueOf<typeof shapes.DELETE_BATCH_RESULT>): string {
  const { Successful, Failed } = result;
  let json = '';
  if (Successful !== undefined) {
    for (const { Id } of Successful) json += `${json === '' ? '' : ','}{"Id":"${Id}"}`;
  }
  return batchJson(json, Failed);
}

function batchJson(successful: string, failed: readonly FailedEntry[] | undefined): string {
  if (failed === undefined) return `{"Successful":[${successful}]}`;
  const failedJson = JSON.stringify(failed);
  if (successful === '') return `{"Failed":${failedJson}}`;
  return `{"Successful":[${successful}],"Failed":${failedJson}}`;
}

/** All but what JSON takes as it is. */
const NEEDS_ESCAPES = /[^ !#-[\]-\ud7ff\ue000-\u{10ffff}]/u;

function textJson(text: string): string {
  return NEEDS_ESCAPES.test(text) ? JSON.stringify(text) : `"${text}"`;
}

export function receiveResultJson(result: ValueOf<typeof shapes.RECEIVE_MESSAGE_RESULT>): string {
  const { Messages } = result;
  if (Messages === undefined) return '{}';
  let json = '{"Messages":[';
  let separator = '';
  for (const message of Messages) {
    json += separator + messageJson(message);
    separator = ',';
  }
  return `${json}]}`;
}

function messageJson(message: shapes.ReceivedMessage): string {
  const { Attributes, MessageAttributes, MD5OfMessageAttributes } = message;
  let json =
    `{"MessageId":"${message.MessageId}","ReceiptHandle":"${message.ReceiptHandle}",` +
    `"MD5OfBody":"${message.MD5OfBody}","Body":${textJson(message.Body)}`;
  if (Attributes !== undefined) {
    let separator = ',"Attributes":{';
    for (const [name, value] of Attributes) {
      json += `${separator}"${name}":${textJson(value)}`;
      separator = ',';
    }
    json += '}';
  }
  if (MD5OfMessageAttributes !== undefined) {
    json += `,"MD5OfMessageAttributes":"${MD5OfMessageAttributes}"`;
  }
  if (MessageAttributes !== undefined) {
    json += `,"MessageAttributes":${writeJson(shapes.MESSAGE_ATTRIBUTES, MessageAttributes)}`;
  }
  return `${json}}`;
}
