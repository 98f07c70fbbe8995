/** The `retry` field with which an endpoint of the Auckland sink answers. */

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const parse = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
};

/** true: send again; false: done; undefined: the body has no usable flag. */
export const retryFlag = (body: Buffer): boolean | undefined => {
  if (body.length === 0) return undefined;
  const answer = parse(body);
  if (!isObject(answer)) return undefined;
  const { retry } = answer;
  if (typeof retry === "boolean") return retry;
  if (retry === 0) return false;
  if (typeof retry !== "string") return undefined;
  const flag = retry.toLowerCase();
  if (flag === "true") return true;
  return flag === "false" ? false : undefined;
};
