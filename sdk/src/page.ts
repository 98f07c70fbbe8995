/** What the page tells of itself. */
import { tried } from "./guard.ts";

export const isHidden = (): boolean => tried(() => document.visibilityState) === "hidden";

/** Calls on the page's events; the function it returns calls them off. `unload` isn't among them: it often never comes. */
export const watchPage = (onLeave: () => void, onOnline: () => void): (() => void) => {
  const onChange = (): void => {
    if (isHidden()) onLeave();
  };
  const each = (method: "addEventListener" | "removeEventListener"): void => {
    tried(() => {
      self[method]("pagehide", onLeave);
      self[method]("online", onOnline);
      document[method]("visibilitychange", onChange);
    });
  };
  each("addEventListener");
  return () => {
    each("removeEventListener");
  };
};
