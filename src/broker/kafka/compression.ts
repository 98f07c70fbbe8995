/** Kafka's compression codecs, for both client libraries. */
import { gunzipSync, gzipSync } from "node:zlib";
import { compress as zstdCompress, decompress as zstdDecompress, init as initZstd } from "@bokuweb/zstd-wasm";
import kafkajs from "kafkajs";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";
import { compressSync as snappyCompress, uncompressSync as snappyUncompress } from "snappy";
import type { CompressionName } from "./options.ts";

const { CompressionCodecs } = kafkajs;

export interface Compression {
  /** Bits 0 to 2 of a record batch's attributes. */
  readonly attribute: number;
  compress(records: Buffer): Buffer;
  decompress(records: Buffer): Buffer;
}

/** snappy-java writes this header before its data blocks. Its readers also accept snappy without a header, as written here. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

const uncompressXerial = (framed: Buffer): Buffer => {
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < framed.length;) {
    const length = framed.readInt32BE(at);
    blocks.push(uncompressBlock(framed.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
};

const uncompressBlock = (block: Buffer): Buffer => Buffer.from(snappyUncompress(block, { asBuffer: true }));

const isXerial = (records: Buffer): boolean => records.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);

/** Buffer sizes to try if a zstd frame doesn't contain its uncompressed size. Java writes the frame before it knows the size. */
const ZSTD_SMALLEST = 1 << 20;
const ZSTD_LARGEST = 1 << 28;
const ZSTD_LEVEL = 3;

const zstdDecompressGrowing = (records: Buffer): Buffer => {
  for (let size = ZSTD_SMALLEST; ; size *= 4) {
    try {
      return Buffer.from(zstdDecompress(records, { defaultHeapSize: size }));
    } catch (error) {
      if (size >= ZSTD_LARGEST) throw error;
    }
  }
};

/** The same for each broker of the process, because kafkajs keeps its codecs in one global table. */
export const COMPRESSIONS: Readonly<Record<Exclude<CompressionName, "none">, Compression>> = {
  gzip: {
    attribute: 1,
    compress: (records) => gzipSync(records),
    decompress: (records) => gunzipSync(records),
  },
  snappy: {
    attribute: 2,
    compress: (records) => snappyCompress(records),
    decompress: (records) => (isXerial(records) ? uncompressXerial(records) : uncompressBlock(records)),
  },
  lz4: { attribute: 3, compress: compressFrameSync, decompress: decompressFrameSync },
  // Node 20 has no built-in zstd.
  zstd: {
    attribute: 4,
    compress: (records) => Buffer.from(zstdCompress(records, ZSTD_LEVEL)),
    decompress: zstdDecompressGrowing,
  },
};

let ready: Promise<void> | undefined;

/** Loads the zstd module and registers with kafkajs the codecs that it lacks; once per process. */
export const prepareCompressions = (): Promise<void> =>
  (ready ??= initZstd().then(() => {
    for (const compression of [COMPRESSIONS.snappy, COMPRESSIONS.lz4, COMPRESSIONS.zstd]) {
      const codecs: Record<number, () => object> = CompressionCodecs;
      codecs[compression.attribute] = () => ({
        compress: ({ buffer }: { buffer: Buffer }) => Promise.resolve(compression.compress(buffer)),
        decompress: (records: Buffer) => Promise.resolve(compression.decompress(records)),
      });
    }
  }));
