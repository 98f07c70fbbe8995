/**
 * The parts of `@platformatic/kafka` that the gateway uses. `build/client-library.js` replaces this module by a bundle of these
 * parts, because importing the whole package takes 45 MiB of memory and 0.8 s of CPU. So no other module may import the package:
 * its classes would differ from those of the bundle.
 */
export {
  apiVersionsV3,
  ConfigResourceTypes,
  Connection,
  consumerGroupHeartbeatV1,
  crc32c,
  createAPI,
  findCoordinatorV4,
  heartbeatV4,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1,
  initProducerIdV4,
  joinGroupV7,
  leaveGroupV4,
  listOffsetsV5,
  metadataV12,
  metadataV9,
  offsetCommitV8,
  offsetCommitV9,
  offsetFetchV8,
  protocolErrorsCodesById,
  ResponseError,
  saslPlain,
  saslScramSha,
  syncGroupV5,
  Writer,
  type Reader,
  type ResponseParser,
} from "@platformatic/kafka";
