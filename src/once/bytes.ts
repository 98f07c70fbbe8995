/** Writes and reads the parts of a binary message: numbers in little-endian order, and bytes with their length before them. */
const NULL_LENGTH = 0xffffffff;

export class ByteWriter {
  readonly #parts: Buffer[] = [];

  number(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#parts.push(bytes);
    return this;
  }

  bytes(value: Buffer | null): this {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(value === null ? NULL_LENGTH : value.length);
    this.#parts.push(size);
    if (value !== null) this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Throws a RangeError if the message is too short. The bytes that it returns are parts of the message. */
export class ByteReader {
  readonly #message: Buffer;
  #at = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#message.length;
  }

  number(): number {
    const value = this.#message.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  bytes(): Buffer | null {
    const size = this.#message.readUInt32LE(this.#at);
    this.#at += 4;
    if (size === NULL_LENGTH) return null;
    const end = this.#at + size;
    if (end > this.#message.length) throw new RangeError("the message is too short");
    const value = this.#message.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  text(): string {
    return this.bytes()?.toString() ?? "";
  }
}
