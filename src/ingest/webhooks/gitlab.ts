import { header, isOneOf, type WebhookScheme, type WebhookSettings } from "./webhook.ts";

/** GitLab's secret token, which each request contains in plain text. For GitLab's signing token use `standard-webhooks`. */
export const gitlab = ({ secrets }: WebhookSettings): WebhookScheme => ({
  refusal(request) {
    const token = header(request, "x-gitlab-token");
    if (token === undefined) return "credential-missing";
    return isOneOf(token, secrets) ? undefined : "credential-wrong";
  },
  deliveryId: (request) => header(request, "idempotency-key") ?? header(request, "webhook-id"),
  deadline: 9000,
});
