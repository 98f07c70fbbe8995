import { describeVectors } from "../../support/formats/vectors.ts";

describeVectors("PROTOBUF");
