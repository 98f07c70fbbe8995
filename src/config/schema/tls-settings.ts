/** Settings of TLS on one port. */
import { choice, file, secret, section } from "../keys.ts";

/** `src/app/read-tls.ts` checks what is in the files. */
export const tls = section({
  cert: file("PEM file with the certificate of this port, followed by its intermediate certificates."),
  key: file("PEM file with the private key of this certificate."),
  keyPassphrase: secret("Passphrase of the private key.").optional(),
  ca: file(
    "PEM file with the CA certificates that verify client certificates. Required with clientAuth optional or required; not allowed with none.",
  ).optional(),
  clientAuth: choice(
    "Client certificates: none does not ask for one, optional verifies it if the client has one, required refuses connections without one. Default: none.",
    ["none", "optional", "required"],
  ).optional(),
  minVersion: choice("Oldest version of TLS that clients may use. Default: TLSv1.2.", [
    "TLSv1.2",
    "TLSv1.3",
  ]).optional(),
})
  // Defaults of the schema would turn TLS on if somebody sets all variables to their defaults.
  .transform(({ clientAuth = "none", minVersion = "TLSv1.2", ...rest }) => ({
    ...rest,
    clientAuth,
    minVersion,
  }))
  .refine((given) => given.clientAuth === "none" || given.ca !== undefined, {
    path: ["ca"],
    error: "is not set: clientAuth optional and required need the CA certificates of the clients",
  })
  .refine((given) => given.clientAuth !== "none" || given.ca === undefined, {
    path: ["ca"],
    error: "is set, but clientAuth is none: remove ca, or set clientAuth to optional or required",
  });
