import { createHash } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import {
  header,
  isOneOf,
  offersOneOf,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";
import { hmac } from "./hmac-scheme.ts";

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
};

/**
 * The parameters of a form; undefined if Twilio would not write the form like this. Twilio signs decoded names and values
 * without separators, so `a=b` and `ab` have the same signature. Therefore the form must be written as Twilio writes it:
 * one `=` in each pair, escapes in upper case, no unescaped space.
 */
const parameters = (form: string): readonly (readonly [string, string])[] | undefined => {
  if (form === "") return [];
  const pairs = form.split("&").map((pair) => {
    const [name, value, ...more] = pair.split("=");
    const text = / |%(?:[a-f]|.[a-f])/.test(pair) || more.length > 0 ? undefined : decode(value ?? "%");
    const key = decode(name ?? "");
    return key && text !== undefined ? ([key, text] as const) : undefined;
  });
  return pairs.every((pair) => pair !== undefined) ? pairs : undefined;
};

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** The signed text of the parameters: sorted by name and value, without repeated pairs. */
const joined = (pairs: readonly (readonly [string, string])[]): string => {
  const sorted = [...pairs].sort((a, b) => byCodeUnits(a[0], b[0]) || byCodeUnits(a[1], b[1]));
  return [...new Set(sorted.map(([name, value]) => `${name}\u0000${value}`))]
    .join("")
    .replaceAll("\u0000", "");
};

/** The URL with and without its port. Twilio signs either form. */
const spellings = (url: string): readonly string[] => {
  const [, scheme = "", host = "", port = "", rest = ""] =
    /^(https?):\/\/([^/:?]+)(:\d+)?(.*)$/s.exec(url) ?? [];
  const other = port === "" ? (scheme === "https" ? ":443" : ":80") : "";
  return [url, `${scheme}://${host}${other}${rest}`];
};

/** The signed text after the URL; undefined: the signature does not cover the body, so the request is refused. */
const signedBody = (request: WebhookRequest): string | undefined => {
  const given = new URLSearchParams(request.query).get("bodySHA256");
  if (given !== null) {
    const hash = createHash("sha256").update(request.body).digest("hex");
    return isOneOf(given.toLowerCase(), [hash]) ? "" : undefined;
  }
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(header(request, "content-type") ?? "");
  if (!isForm && request.body.length > 0) return undefined;
  const pairs = parameters(request.body.toString());
  return pairs && joined(pairs);
};

/** Twilio, "Validating signatures". The signature covers the public URL, which the gateway can't see behind a proxy. */
export const twilio = ({ secrets, publicUrl }: WebhookSettings): WebhookScheme => {
  if (!publicUrl || !/^https?:\/\/[^/?#]+[^?#]*$/.test(publicUrl)) {
    throw new GatewayError("SETTINGS_INVALID", {
      message: "twilio needs publicUrl: the complete public URL of the source, without a query",
    });
  }
  return {
    refusal(request) {
      const offered = header(request, "x-twilio-signature");
      if (offered === undefined) return "credential-missing";
      const body = signedBody(request);
      if (body === undefined) return "credential-wrong";
      const urls = spellings(request.query === "" ? publicUrl : `${publicUrl}?${request.query}`);
      const expected = secrets.flatMap((secret) =>
        urls.map((url) => hmac({ algorithm: "sha1", encoding: "base64" }, secret, [url, body])),
      );
      return offersOneOf([offered], expected) ? undefined : "credential-wrong";
    },
    deliveryId: (request) => header(request, "i-twilio-idempotency-token"),
  };
};
