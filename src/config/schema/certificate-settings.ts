/** The keys that say which client certificates an entry of `auth.certificates` and `admin.certificates` accepts. */
import { matching, text } from "../keys.ts";

const NAME = "the whole name; * stands for any part between the characters / . @";

export const certificateNames = {
  name: matching(
    "Name of the entry: its limits, groups and log lines go by it.",
    /^[^\s:]{1,128}$/,
    "a name of at most 128 characters without spaces and :",
  ),
  cn: text("Common name of the certificate's subject. The subject must have exactly one.", NAME).optional(),
  uri: text("URI in the certificate's subject alternative names, such as a SPIFFE id.", NAME).optional(),
  dns: text("DNS name in the certificate's subject alternative names.", NAME).optional(),
  email: text("Email address in the certificate's subject alternative names.", NAME).optional(),
};

type Names = Readonly<Partial<Record<"cn" | "uri" | "dns" | "email", string | undefined>>>;

export const hasOneName = ({ cn, uri, dns, email }: Names): boolean =>
  [cn, uri, dns, email].filter((name) => name !== undefined).length === 1;

export const ONE_NAME = { error: "needs exactly one of cn, uri, dns and email" };
