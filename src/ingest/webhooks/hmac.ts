/** The scheme `hmac`: for every sender that signs with a shared secret. The settings describe its headers and signed text. */
import { bodyId, header, type WebhookRequest, type WebhookScheme } from "./webhook.ts";
import {
  epoch,
  hmacScheme,
  prefixed,
  type Bytes,
  type HmacAlgorithm,
  type HmacEncoding,
  type SignedTime,
} from "./hmac-scheme.ts";

/** Checked settings. Their defaults and rules are in `src/config/schema/stations-settings.ts`. */
export interface HmacSettings {
  /** One secret, or two secrets during a rotation. */
  readonly secrets: readonly string[];
  /** Name of the header with the signature. */
  readonly header: string;
  /** Text before the signature in that header. */
  readonly prefix: string;
  readonly algorithm: HmacAlgorithm;
  readonly encoding: HmacEncoding;
  /** The signed text. It contains `{body}`; `{timestamp}` and `{id}` only if the settings below name their source. */
  readonly template: string;
  readonly timestampHeader?: string | undefined;
  /** Milliseconds, before and after the gateway's clock. */
  readonly tolerance: number;
  readonly idHeader?: string | undefined;
  /** JSON pointer into the body. */
  readonly idPointer?: string | undefined;
}

export const genericHmac = (settings: HmacSettings): WebhookScheme => {
  const { secrets, header: name, prefix, algorithm, encoding, template } = settings;
  const deliveryId = idReader(settings);
  const time = timeOf(settings);
  const parts = template.split(/(\{[^{}]*\})/).filter((part) => part !== "");

  const valueOf = (request: WebhookRequest, part: string): Bytes | undefined => {
    if (part === "{body}") return request.body;
    if (part === "{timestamp}") return header(request, settings.timestampHeader?.toLowerCase() ?? "");
    return part === "{id}" ? deliveryId(request) : part;
  };

  return hmacScheme({
    secrets,
    algorithm,
    encoding,
    signatures: (request) => prefixed(header(request, name.toLowerCase()), prefix),
    signed: (request) => {
      const values = parts.map((part) => valueOf(request, part));
      return values.every((value) => value !== undefined) ? values : undefined;
    },
    deliveryId,
    ...(time && { time }),
  });
};

const idReader = ({ idHeader, idPointer }: HmacSettings): WebhookScheme["deliveryId"] => {
  if (idHeader !== undefined) return (request) => header(request, idHeader.toLowerCase());
  if (idPointer === undefined) return () => undefined;
  const path = idPointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (request) => bodyId(request, ...path);
};

const timeOf = ({ timestampHeader, tolerance }: HmacSettings): SignedTime | undefined =>
  timestampHeader === undefined
    ? undefined
    : { read: (request) => [timestamp(header(request, timestampHeader.toLowerCase()))], tolerance };

/** Up to eleven digits are seconds; more digits are milliseconds. */
const timestamp = (text: string | undefined): number | undefined =>
  epoch(text, text !== undefined && text.length > 11 ? "ms" : "s");
