/** A token that another program writes to a file, for example a projected service account token of Kubernetes. */
import { open } from "node:fs/promises";
import { errnoOf } from "../../../lib/file-system.ts";
import { SignInFailure } from "./sasl.ts";
import { checkedToken, type TokenReports, type TokenSource } from "./token-source.ts";

/** Bytes. Kafka accepts no longer message from a client that has not signed in. */
const MAX_BYTES = 512 * 1024;

const textIn = async (path: string): Promise<string> => {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES);
    return buffer.toString("latin1", 0, bytesRead).trim();
  } finally {
    await file.close();
  }
};

/** Reads the file at each call, so a new token needs no restart. */
export const createTokenFile = (path: string, { onFetch, onFailure }: TokenReports): TokenSource => {
  let hasFailed = false;
  const read = async (): Promise<string> => {
    const text = await textIn(path).catch((error: unknown) => {
      throw new SignInFailure(`the token file ${path} cannot be read (${errnoOf(error) ?? "unreadable"})`);
    });
    return checkedToken(text, `the token file ${path}`);
  };
  return {
    token: async () => {
      try {
        const token = await read();
        onFetch("ok");
        hasFailed = false;
        return token;
      } catch (error) {
        onFetch("failed");
        if (!hasFailed) onFailure(error as Error);
        hasFailed = true;
        throw error;
      }
    },
    close: () => undefined,
  };
};
