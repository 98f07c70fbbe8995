/** `/webhooks/:source`: third parties send webhook events. The signature of the body authenticates the sender. */
import type { WebhookRequest } from "../../../ingest/webhooks/webhook.ts";
import type { Webhooks } from "../../../ingest/webhooks/webhooks.ts";
import type { Call } from "../../call.ts";
import { admitWebhook, receiveWebhook, verifyWebhook } from "./documentation.ts";
import type { CountCall, Intake } from "../../intake.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { authorised } from "../../middleware/guard.ts";
import type { OpenRoute } from "../../routes.ts";
import { pathParameter, queryTextOf } from "../../url.ts";

export interface WebhookRouteDependencies {
  readonly webhooks: Webhooks;
  readonly intake: Pick<Intake, "admit">;
  readonly countCall: CountCall;
  readonly readBody: ReadBody;
}

const NO_BODY = Buffer.alloc(0);

export const webhookRoutes = ({
  webhooks,
  intake,
  countCall,
  readBody,
}: WebhookRouteDependencies): readonly OpenRoute[] => {
  const handler = async (call: Call): Promise<void> => {
    const { request, response, facts } = call;
    const source = webhooks.find(pathParameter(request, "source"));
    facts.station = source.station;
    const body = request.method === "POST" ? await readBody(request) : NO_BODY;
    facts.bytes = body.length;
    const answer = await source.receive(toWebhookRequest(call, body), (principal, bytes) => {
      const caller = authorised(call, principal);
      countCall(caller);
      intake.admit(caller, { events: 1, bytes });
    });
    if (answer.status === 202) facts.stored = 1;
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
    response.statusCode = answer.status;
    response.end(answer.body);
  };
  const row = { path: "/webhooks/:source", auth: "none", family: "problem", handler } as const;
  // Some senders use GET or OPTIONS for a handshake. Sources without a handshake answer 405.
  return [
    { ...row, method: "POST", documentation: receiveWebhook },
    { ...row, method: "GET", documentation: verifyWebhook },
    { ...row, method: "OPTIONS", documentation: admitWebhook },
  ];
};

const toWebhookRequest = ({ request }: Call, body: Buffer): WebhookRequest => {
  const { method, headers, rawHeaders, url } = request;
  return { method, headers, rawHeaders, query: queryTextOf(url), body };
};
