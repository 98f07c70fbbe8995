/**
 * The ids of a slot that are done, by digest. An entry has 50 bytes in a queue of chunks, oldest first, and 5 bytes in an open
 * addressing index that is at least 3/8 full after it has grown: together at most 64 bytes an id. An index doubles when it is
 * 3/4 full, and then holds two indexes for a moment.
 */

/** What the home remembers of a stored event. Times are in milliseconds of the broker's clock. */
export interface StoredId {
  readonly partition: number;
  readonly offset: number;
  /** The broker's time of the intent. */
  readonly began: number;
  /** The end of the window. */
  readonly ends: number;
  /** The request's random number, 32 bits. */
  readonly request: number;
  /** The first `PAYLOAD_BYTES` of the digest of the whole payload; undefined: the id has none. */
  readonly payload: Buffer | undefined;
}

export const DIGEST_BYTES = 16;
/** The table keeps this part of a payload's digest. Two payloads of one id that agree in it can only be made by the sender of both. */
export const PAYLOAD_BYTES = 8;

const TIME_BYTES = 6;
/** A window of 30 days at most has four bytes. */
const LONGEST_WINDOW = 0xffffffff;

/** Layout of an entry. */
const PAYLOAD = DIGEST_BYTES;
const OFFSET = PAYLOAD + PAYLOAD_BYTES;
const PARTITION = OFFSET + 8;
const REQUEST = PARTITION + 4;
const BEGAN = REQUEST + 4;
const WINDOW = BEGAN + TIME_BYTES;
const ENTRY_BYTES = WINDOW + 4;

const ENTRIES_PER_CHUNK = 512;
const LEAST_INDEX = 16;
/** The index has sequence numbers modulo this number, plus 1; 0 is a free cell. */
const MODULUS = 0xffffffff;
/** The byte of a digest that is its tag. The bytes before it choose the cell. */
const TAG = 4;
const NO_PAYLOAD = Buffer.alloc(PAYLOAD_BYTES);

export class IdTable {
  #chunks: Buffer[] = [];
  /** Sequence number of the first entry of the first chunk. */
  #chunkStart = 0;
  /** Sequence numbers of the oldest entry and of the next entry. */
  #first = 0;
  #next = 0;
  #index = new Uint32Array(LEAST_INDEX);
  /** A byte of the digest for each cell: without it, a search for a new id in a full index would read 8 entries that lie far apart. */
  #tags = new Uint8Array(LEAST_INDEX);

  /** The number of entries. An id that was put again has two until the older one is forgotten. */
  get size(): number {
    return this.#next - this.#first;
  }

  get bytes(): number {
    return (
      this.#index.byteLength + this.#tags.byteLength + this.#chunks.length * ENTRIES_PER_CHUNK * ENTRY_BYTES
    );
  }

  /** The time of the oldest entry's intent; undefined: the table is empty. */
  get oldest(): number | undefined {
    return this.size === 0 ? undefined : this.#beganOf(this.#first);
  }

  /** undefined: the id is not in the table, or its window is past. */
  get(digest: Buffer, now: number): StoredId | undefined {
    const sequence = this.#living(digest, now);
    if (sequence === undefined) return undefined;
    const chunk = this.#chunkOf(sequence);
    const at = this.#at(sequence);
    const payload = Buffer.from(chunk.subarray(at + PAYLOAD, at + OFFSET));
    return {
      partition: chunk.readUInt32LE(at + PARTITION),
      offset: chunk.readDoubleLE(at + OFFSET),
      began: this.#beganOf(sequence),
      ends: this.#endOf(sequence),
      request: chunk.readUInt32LE(at + REQUEST),
      payload: payload.equals(NO_PAYLOAD) ? undefined : payload,
    };
  }

  /**
   * Adds the id as the newest one, in place of what the table has of it. Of two events of an id the first one counts: if its
   * window is not past, the table keeps it.
   */
  put(digest: Buffer, stored: StoredId, now: number): void {
    if ((this.size + 1) * 4 > this.#index.length * 3) this.#grow();
    const known = this.#find(digest);
    if (known !== undefined && this.#counts(known, now) && this.#beganIn(known) < stored.began) return;
    const sequence = this.#next;
    this.#next += 1;
    if (sequence - this.#chunkStart >= this.#chunks.length * ENTRIES_PER_CHUNK)
      this.#chunks.push(Buffer.alloc(ENTRIES_PER_CHUNK * ENTRY_BYTES));
    const chunk = this.#chunkOf(sequence);
    const at = this.#at(sequence);
    digest.copy(chunk, at, 0, DIGEST_BYTES);
    (stored.payload ?? NO_PAYLOAD).copy(chunk, at + PAYLOAD, 0, PAYLOAD_BYTES);
    chunk.writeDoubleLE(stored.offset, at + OFFSET);
    chunk.writeUInt32LE(stored.partition, at + PARTITION);
    chunk.writeUInt32LE(stored.request, at + REQUEST);
    chunk.writeUIntLE(stored.began, at + BEGAN, TIME_BYTES);
    chunk.writeUInt32LE(Math.min(stored.ends - stored.began, LONGEST_WINDOW), at + WINDOW);
    if (known === undefined) this.#insert(sequence);
    else this.#index[known] = (sequence % MODULUS) + 1;
  }

  forgetOldest(): void {
    if (this.size === 0) return;
    const sequence = this.#first;
    // The index names only the newest entry of an id.
    const cell = this.#find(this.#digestOf(sequence));
    if (cell !== undefined && this.#sequenceIn(cell) === sequence) this.#free(cell);
    this.#first += 1;
    if (this.#first - this.#chunkStart < ENTRIES_PER_CHUNK) return;
    this.#chunks.shift();
    this.#chunkStart += ENTRIES_PER_CHUNK;
  }

  /** Forgets the oldest entries as long as their windows are past. */
  forgetPast(now: number): void {
    while (this.size > 0 && this.#endOf(this.#first) <= now) this.forgetOldest();
  }

  /** undefined: the id is not in the table, or its window is past. */
  #living(digest: Buffer, now: number): number | undefined {
    const cell = this.#find(digest);
    if (cell === undefined) return undefined;
    return this.#counts(cell, now) ? this.#sequenceIn(cell) : undefined;
  }

  /** True: the window of the id in this cell is not past. */
  #counts(cell: number, now: number): boolean {
    return this.#endOf(this.#sequenceIn(cell)) > now;
  }

  #beganIn(cell: number): number {
    return this.#beganOf(this.#sequenceIn(cell));
  }

  #beganOf(sequence: number): number {
    return this.#chunkOf(sequence).readUIntLE(this.#at(sequence) + BEGAN, TIME_BYTES);
  }

  #endOf(sequence: number): number {
    return this.#beganOf(sequence) + this.#chunkOf(sequence).readUInt32LE(this.#at(sequence) + WINDOW);
  }

  #chunkOf(sequence: number): Buffer {
    const chunk = this.#chunks[Math.floor((sequence - this.#chunkStart) / ENTRIES_PER_CHUNK)];
    if (chunk === undefined) throw new RangeError("the entry is not in the table");
    return chunk;
  }

  #at(sequence: number): number {
    return ((sequence - this.#chunkStart) % ENTRIES_PER_CHUNK) * ENTRY_BYTES;
  }

  #digestOf(sequence: number): Buffer {
    const at = this.#at(sequence);
    return this.#chunkOf(sequence).subarray(at, at + DIGEST_BYTES);
  }

  /** The sequence number in a cell that is not free. */
  #sequenceIn(cell: number): number {
    return this.#sequenceOf(this.#index[cell] ?? 1);
  }

  /** The sequence number that has this value in the index. */
  #sequenceOf(value: number): number {
    const rest = value - 1;
    const first = this.#first % MODULUS;
    return this.#first + (rest >= first ? rest - first : rest + MODULUS - first);
  }

  /** The digests are hashes, so their first bytes choose the cell. */
  #home(word: number): number {
    return (word >>> 0) & (this.#index.length - 1);
  }

  /** The cell of this digest. */
  #find(digest: Buffer): number | undefined {
    const mask = this.#index.length - 1;
    const word = digest.readInt32LE(0);
    const tag = digest[TAG];
    for (let cell = this.#home(word); this.#index[cell] !== 0; cell = (cell + 1) & mask) {
      if (this.#tags[cell] !== tag) continue;
      const sequence = this.#sequenceIn(cell);
      const chunk = this.#chunkOf(sequence);
      const at = this.#at(sequence);
      if (chunk.readInt32LE(at) === word && digest.compare(chunk, at, at + DIGEST_BYTES) === 0) return cell;
    }
    return undefined;
  }

  #insert(sequence: number): void {
    const mask = this.#index.length - 1;
    const chunk = this.#chunkOf(sequence);
    const at = this.#at(sequence);
    let cell = this.#home(chunk.readInt32LE(at));
    while (this.#index[cell] !== 0) cell = (cell + 1) & mask;
    this.#index[cell] = (sequence % MODULUS) + 1;
    this.#tags[cell] = chunk[at + TAG] ?? 0;
  }

  /** Frees a cell, and moves the cells behind it that would not be found any more. */
  #free(cell: number): void {
    const mask = this.#index.length - 1;
    let gap = cell;
    for (let next = (gap + 1) & mask; this.#index[next] !== 0; next = (next + 1) & mask) {
      const sequence = this.#sequenceIn(next);
      const home = this.#home(this.#chunkOf(sequence).readInt32LE(this.#at(sequence)));
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      this.#index[gap] = this.#index[next] ?? 0;
      this.#tags[gap] = this.#tags[next] ?? 0;
      gap = next;
    }
    this.#index[gap] = 0;
  }

  #grow(): void {
    const old = this.#index;
    this.#index = new Uint32Array(old.length * 2);
    this.#tags = new Uint8Array(old.length * 2);
    for (const value of old) if (value !== 0) this.#insert(this.#sequenceOf(value));
  }
}
