/* The language in which the actions' parameters and results are described: once, as data, for both
 * protocols, and for the types that the code sees. Names and kinds are those of the SQS API; the
 * names that only the Query protocol uses stand beside them. */

/** A text, a whole number of 32 bits, bytes that are base64 in both protocols, true and false, or
 *  the body of a message. */
export interface Scalar<Kind extends string> {
  readonly kind: Kind;
}

export interface ListShape<Member extends Shape> {
  readonly kind: 'list';
  /** The Query protocol's name of each member: `AttributeName.1`, `AttributeName.2`. */
  readonly queryName: string;
  readonly member: Member;
}

export interface MapShape<Value extends Shape> {
  readonly kind: 'map';
  /** The Query protocol's name of each entry: `Attribute.1.Name`, `Attribute.1.Value`. */
  readonly queryName: string;
  readonly keyName: 'Name' | 'Key';
  readonly value: Value;
}

export interface StructShape<Fields extends FieldTable = FieldTable> {
  readonly kind: 'struct';
  readonly fields: Fields;
  /** The same, in an order in which they can be walked. */
  readonly entries: readonly (readonly [name: string, field: Field])[];
  /** The same, by the lengths of their names, for who has a name as bytes. */
  readonly byNameLength: readonly (readonly NamedField[] | undefined)[];
  readonly requiredCount: number;
  /** A value without any field: a copy of it takes fields without changing its hidden class. */
  readonly blank: Readonly<Record<string, unknown>>;
}

export interface NamedField extends Field {
  readonly name: string;
  readonly nameBytes: Uint8Array;
}

export interface Field<Of extends Shape = Shape, Required extends boolean = boolean> {
  readonly shape: Of;
  readonly required: Required;
}

export type FieldTable = Readonly<Record<string, Field>>;

// Spelled out, because a type cannot refer to itself through its own parameters.
export type Shape =
  | Scalar<'text'>
  | Scalar<'whole'>
  | Scalar<'bytes'>
  | Scalar<'flag'>
  | { readonly kind: 'list'; readonly queryName: string; readonly member: Shape }
  | {
      readonly kind: 'map';
      readonly queryName: string;
      readonly keyName: 'Name' | 'Key';
      readonly value: Shape;
    }
  | Scalar<'body'>
  | {
      readonly kind: 'struct';
      readonly fields: FieldTable;
      readonly entries: readonly (readonly [name: string, field: Field])[];
      readonly byNameLength: readonly (readonly NamedField[] | undefined)[];
      readonly requiredCount: number;
      readonly blank: Readonly<Record<string, unknown>>;
    };

/** A text, or the bytes of one that is UTF-8 and has only characters that SQS takes. The bytes are
 *  lent until the next request is read: what is done with them is done at once. */
export type Body = string | Uint8Array;

/** What a shape is to the code. A map is a list of entries: its keys come from outside, and no
 *  object has to bear them. */
export type ValueOf<Of> =
  Of extends Scalar<'text'>
    ? string
    : Of extends Scalar<'whole'>
      ? number
      : Of extends Scalar<'bytes'>
        ? Uint8Array
        : Of extends Scalar<'flag'>
          ? boolean
          : Of extends Scalar<'body'>
            ? Body
            : Of extends ListShape<infer Member>
              ? readonly ValueOf<Member>[]
              : Of extends MapShape<infer Value>
                ? readonly (readonly [key: string, value: ValueOf<Value>])[]
                : Of extends { readonly kind: 'struct'; readonly fields: infer Fields }
                  ? StructValue<Fields>
                  : never;

type StructValue<Fields> = {
  readonly [Name in keyof Fields as Fields[Name] extends { required: true }
    ? Name
    : never]: FieldValue<Fields[Name]>;
} & {
  readonly [Name in keyof Fields as Fields[Name] extends { required: true } ? never : Name]?:
    | FieldValue<Fields[Name]>
    | undefined;
};

type FieldValue<Of> = Of extends { readonly shape: infer Inner } ? ValueOf<Inner> : never;

export const TEXT = { kind: 'text' } as const;
export const WHOLE = { kind: 'whole' } as const;
export const BYTES = { kind: 'bytes' } as const;
export const BODY = { kind: 'body' } as const;
export const FLAG = { kind: 'flag' } as const;

export function list<Member extends Shape>(queryName: string, member: Member): ListShape<Member> {
  return { kind: 'list', queryName, member };
}

export function map<Value extends Shape>(
  queryName: string,
  value: Value,
  keyName: 'Name' | 'Key' = 'Name',
): MapShape<Value> {
  return { kind: 'map', queryName, keyName, value };
}

export function optional<Of extends Shape>(shape: Of): Field<Of, false> {
  return { shape, required: false };
}

export function required<Of extends Shape>(shape: Of): Field<Of, true> {
  return { shape, required: true };
}

export function struct<const Fields extends FieldTable>(fields: Fields): StructShape<Fields> {
  const entries = Object.entries(fields);
  const byNameLength: NamedField[][] = [];
  for (const [name, field] of entries) {
    const nameBytes = Uint8Array.from(name, (character) => character.charCodeAt(0));
    (byNameLength[name.length] ??= []).push({ ...field, name, nameBytes });
  }
  const requiredCount = entries.filter(([, field]) => field.required).length;
  const blank = Object.fromEntries(entries.map(([name]) => [name, undefined]));
  return { kind: 'struct', fields, entries, byNameLength, requiredCount, blank };
}
