import { GatewayError } from "../../errors.ts";
import { bodyId, header, type WebhookRequest, type WebhookScheme, type WebhookSettings } from "./webhook.ts";
import { epoch, hmacScheme, prefixed, type Bytes, type SignedTime } from "./hmac-scheme.ts";

const invalid = (message: string): GatewayError => new GatewayError("SETTINGS_INVALID", { message });

const idReader = ({ idHeader, idPointer }: WebhookSettings): WebhookScheme["deliveryId"] => {
  if (idHeader) return (request) => header(request, idHeader.toLowerCase());
  if (!idPointer) return () => undefined;
  if (!idPointer.startsWith("/")) throw invalid("hmac: idPointer must be a JSON pointer, like /data/id");
  const path = idPointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (request) => bodyId(request, ...path);
};

/** Ten digits are seconds until the year 2286, thirteen are milliseconds since 2001. */
const told = (text: string | undefined): number | undefined =>
  epoch(text, text !== undefined && text.length > 11 ? "ms" : "s");

const timeOf = ({ timestampHeader, tolerance = 300_000 }: WebhookSettings): SignedTime | undefined =>
  timestampHeader === undefined
    ? undefined
    : { read: (request) => [told(header(request, timestampHeader.toLowerCase()))], tolerance };

const PLACES = ["{body}", "{timestamp}", "{id}"];

/** The pieces of a template; throws SETTINGS_INVALID where it names what the request can't tell. */
const pieces = (settings: WebhookSettings): readonly string[] => {
  const { template = "{body}", timestampHeader, idHeader, idPointer } = settings;
  const parts = template.split(/(\{[^{}]*\})/).filter((part) => part !== "");
  const unknown = parts.find((part) => /^\{.*\}$/.test(part) && !PLACES.includes(part));
  if (unknown) throw invalid(`hmac: the template may use ${PLACES.join(", ")}, not ${unknown}`);
  if (!parts.includes("{body}")) throw invalid("hmac: the template must hold {body}");
  if (parts.includes("{timestamp}") && !timestampHeader)
    throw invalid("hmac: {timestamp} needs timestampHeader");
  if (parts.includes("{id}") && !idHeader && !idPointer)
    throw invalid("hmac: {id} needs idHeader or idPointer");
  return parts;
};

/** Any sender with a shared secret whose way of signing the settings can tell. */
export const genericHmac = (settings: WebhookSettings): WebhookScheme => {
  const { secrets, header: name, prefix = "", algorithm = "sha256", encoding = "hex" } = settings;
  if (!name) throw invalid("hmac needs header, the name of the one with the signature");
  const deliveryId = idReader(settings);
  const time = timeOf(settings);
  const template = pieces(settings);

  const valueOf = (request: WebhookRequest, piece: string): Bytes | undefined => {
    if (piece === "{body}") return request.body;
    if (piece === "{timestamp}") return header(request, settings.timestampHeader?.toLowerCase() ?? "");
    return piece === "{id}" ? deliveryId(request) : piece;
  };

  return hmacScheme({
    secrets,
    algorithm,
    encoding,
    signatures: (request) => prefixed(header(request, name.toLowerCase()), prefix),
    signed: (request) => {
      const values = template.map((piece) => valueOf(request, piece));
      return values.every((value) => value !== undefined) ? values : undefined;
    },
    deliveryId,
    ...(time && { time }),
  });
};
