/** The operator of this page, and what the operator's role allows. */
import { el } from "./dom.js";

/** @typedef {"viewer" | "operator" | "admin"} Role */

/** @typedef {{ name: string, role: Role, via: string, expires: string | null }} Session the answer of `GET /session` */

/** In ascending order. @type {readonly Role[]} */
const ROLES = ["viewer", "operator", "admin"];

/**
 * Whether a role has all rights of another one.
 * @param {Role} role
 * @param {Role} least
 */
export const hasRole = (role, least) => ROLES.indexOf(role) >= ROLES.indexOf(least);

/** @param {Session} session */
export const sessionFacts = ({ name, role }) => [
  el("span", { class: "name" }, name),
  el("span", { class: "pill" }, role),
];
