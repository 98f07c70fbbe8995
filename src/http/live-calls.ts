/**
 * The calls of this process that last: streams, tails and calls that wait for events. After a reload each of them is checked
 * again, and ends if its credential or its right is gone.
 */
import { requireOrigin } from "../auth/permissions.ts";
import { type Principal, unauthorized } from "../auth/principal.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import { paced } from "../lib/event-loop.ts";
import type { AuthorisedCall } from "./call.ts";

/** `P` is a principal, or an operator. */
export interface LiveCall<P> {
  readonly by: P;
  /** Throws the error of a new call if this client may not make the call any more. */
  readonly require: (by: P) => void;
  /** Ends the call. */
  readonly end: (error: GatewayError) => void;
}

/** The live call of a client. `require` and `end` are those of `LiveCall`; the origin is checked too. */
export const clientCall = (
  { principal, request }: AuthorisedCall,
  { require, end }: Pick<LiveCall<Principal>, "require" | "end">,
): LiveCall<Principal> => ({
  by: principal,
  require: (renewed) => {
    requireOrigin(renewed, request.headers.origin);
    require(renewed);
  },
  end,
});

export interface LiveCalls<P> {
  /**
   * Returns the function that removes the call. If a reload came after the call was authenticated, throws the error with which
   * `recheck` would have ended the call.
   */
  add(call: LiveCall<P>): () => void;
  /** Checks all calls under the present settings. Resolves when the calls that have lost their right are ended. */
  recheck(): Promise<void>;
}

/**
 * `renew` returns the same client under the present settings: the same object if they are unchanged since the call began,
 * undefined if the credential is gone.
 */
export const createLiveCalls = <P extends object>(renew: (by: P) => P | undefined): LiveCalls<P> => {
  const calls = new Set<LiveCall<P>>();

  /** Throws UNAUTHORIZED if `by` is undefined. */
  const check = ({ require }: LiveCall<P>, by: P | undefined): void => {
    if (by === undefined) throw unauthorized("credential changed");
    require(by);
  };

  return {
    add: (call) => {
      const by = renew(call.by);
      if (by !== call.by) check(call, by);
      calls.add(call);
      return () => calls.delete(call);
    },
    recheck: async () => {
      const renewed = new Map<P, P | undefined>();
      const open = [...calls];
      await paced(open.length, (i) => {
        const call = open[i];
        if (call === undefined || !calls.has(call)) return;
        if (!renewed.has(call.by)) renewed.set(call.by, renew(call.by));
        try {
          check(call, renewed.get(call.by));
        } catch (error) {
          calls.delete(call);
          call.end(asGatewayError(error));
        }
      });
    },
  };
};
