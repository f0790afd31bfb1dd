/** Output buffers begin at this size. */
const CHUNK_BYTES = 256 * 1024;

/**
 * The buffers of finished COPYs, to be written again: fresh memory for each of them costs the collector and the kernel more than
 * the encoding itself. The driver keeps the bytes of queued writes by reference, so a buffer comes back only when the server has
 * answered that the whole COPY is done, never when a write calls back.
 */
export class ChunkPool {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    const free = bytes <= CHUNK_BYTES ? this.#free.pop() : undefined;
    return free ?? Buffer.allocUnsafeSlow(Math.max(bytes, CHUNK_BYTES));
  }

  giveBack(buffers: readonly Buffer[]): void {
    for (const buffer of buffers) if (buffer.length === CHUNK_BYTES) this.#free.push(buffer);
  }
}

/** Where an encoder writes its rows: a buffer in the making and those that are full. */
export abstract class CopyOutput {
  /** Place of the next row: the later one of two rows with one key counts. */
  place: number;
  protected out: Buffer;
  /** Of `out`, to write several bytes at once. */
  protected view: DataView;
  protected length = 0;
  readonly #pool: ChunkPool;
  readonly #taken: Buffer[] = [];
  #full: Buffer[] = [];
  readonly #firstPlace: number;

  constructor(place: number, pool: ChunkPool) {
    this.place = place;
    this.#firstPlace = place;
    this.#pool = pool;
    this.out = this.#take(0);
    this.view = viewOf(this.out);
  }

  /** Rows added. */
  get rows(): number {
    return this.place - this.#firstPlace;
  }

  /** Buffers that are full. */
  takeFull(): Buffer[] {
    if (this.#full.length === 0) return NONE;
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** All that is there, also the last buffer. */
  takeAll(): Buffer[] {
    const all = this.takeFull().slice();
    if (this.length > 0) {
      all.push(this.out.subarray(0, this.length));
      this.#use(this.#take(0));
    }
    return all;
  }

  /** The server has everything that was taken. */
  recycle(): void {
    this.#pool.giveBack(this.#taken);
    this.#taken.length = 0;
  }

  /** Ends the buffer before the row in the making, which moves to the head of a new one. */
  protected makeRoom(rowStart: number, at: number, needed: number): void {
    const begun = this.out.subarray(rowStart, at);
    if (rowStart > 0) this.#full.push(this.out.subarray(0, rowStart));
    const fresh = this.#take(begun.length * 2 + needed);
    fresh.set(begun);
    this.#use(fresh);
  }

  /** Takes back everything that was added since nothing was full and the buffer was this long. */
  protected backTo(out: Buffer, length: number): void {
    this.#full = [];
    this.#use(out);
    this.length = length;
  }

  #use(buffer: Buffer): void {
    this.out = buffer;
    this.view = viewOf(buffer);
    this.length = 0;
  }

  #take(bytes: number): Buffer {
    const buffer = this.#pool.take(bytes);
    this.#taken.push(buffer);
    return buffer;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

const NONE: Buffer[] = [];
