import {
  bodyField,
  bodyId,
  header,
  textAnswer,
  type WebhookAnswer,
  type WebhookRequest,
  type WebhookScheme,
  type WebhookSettings,
} from "./webhook.ts";
import { epoch, hmacScheme, prefixed } from "./hmac-scheme.ts";

const timestamp = (request: WebhookRequest): string | undefined =>
  header(request, "x-slack-request-timestamp");

/** Answers `url_verification` of the Events API, and the certificate check of slash commands. */
const answerToPost = (request: WebhookRequest): WebhookAnswer | undefined => {
  const challenge = bodyField(request, "challenge");
  if (bodyField(request, "type") === "url_verification" && typeof challenge === "string") {
    return textAnswer(challenge);
  }
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(header(request, "content-type") ?? "");
  const isCheck = isForm && new URLSearchParams(request.body.toString()).get("ssl_check") === "1";
  return isCheck ? textAnswer("") : undefined;
};

/** Slack, "Verifying requests from Slack": events, slash commands and interactions. */
export const slack = ({ secrets }: WebhookSettings): WebhookScheme =>
  hmacScheme({
    secrets,
    algorithm: "sha256",
    encoding: "hex",
    signatures: (request) => prefixed(header(request, "x-slack-signature"), "v0="),
    signed: (request) => {
      const time = timestamp(request);
      return time === undefined ? undefined : ["v0:", time, ":", request.body];
    },
    time: { read: (request) => [epoch(timestamp(request), "s")], tolerance: 300_000 },
    deliveryId: (request) => bodyId(request, "event_id"),
    answerToPost,
    deadline: 2500,
  });
