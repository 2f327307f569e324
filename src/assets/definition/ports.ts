import type { Json } from "../../base/json.ts";
import { issueOf } from "../inputs.ts";
import type { Method, Refuse } from "./methods.ts";
import { PortName, PortOptions } from "./options.ts";
import type { Port } from "./types.ts";

/** Check what a port says of itself; its schema has been checked before. */
function readPort(port: Port, refuse: Refuse): Port {
  const wrong = (member: string, message: string, hint: string): never =>
    refuse(1, [member], "value_invalid", message, hint);
  const numeric = port.type === "integer" || port.type === "number";
  for (const member of ["minimum", "maximum"] as const) {
    if (port[member] !== undefined && !numeric) {
      wrong(member, `a ${port.type} port has no ${member}`, "only integer and number ports have a range");
    }
  }
  if (port.minimum !== undefined && port.maximum !== undefined && port.minimum > port.maximum) {
    wrong("minimum", "the minimum is above the maximum", "swap them");
  }
  if (port.pattern !== undefined) {
    if (port.type !== "string" && port.type !== "path") {
      wrong("pattern", `a ${port.type} port has no pattern`, "only string and path ports have one");
    }
    try {
      new RegExp(port.pattern, "u");
    } catch {
      wrong("pattern", "the pattern does not compile", "write an ECMAScript pattern");
    }
  }
  if (port.step !== undefined && !numeric) {
    wrong("step", `a ${port.type} port has no step`, "only integer and number ports have one");
  }
  if (port.seed === true && (port.type !== "integer" || port.list === true)) {
    wrong(
      "seed",
      `a ${port.list === true ? "list" : port.type} port is no seed`,
      "only an integer port is one",
    );
  }
  if (port.seed === true && port.default !== undefined) {
    wrong("default", "a seed port has a default, so it would never be drawn", "remove one");
  }
  if (port.required === true && port.default !== undefined) {
    wrong("default", "a required port has a default", "remove required, or the default");
  }
  for (const [index, value] of (port.enum ?? []).entries()) {
    const issue = issueOf({ ...port, enum: undefined }, value);
    if (issue !== undefined)
      refuse(1, ["enum", String(index)], "value_invalid", `enum: ${issue}`, "remove the value");
  }
  if (port.default !== undefined) {
    const issue = issueOf(port, port.default);
    if (issue !== undefined)
      wrong("default", `the default ${issue}`, "write a value that the port would take");
  }
  return port;
}

/** `.input(name, port)` and its like: one named port into a map of the definition. */
export function portMethod<D>(ports: (definition: D) => Record<string, Port>): Method<D> {
  return {
    usage: "(name, { type, … })",
    required: [PortName, PortOptions],
    optional: [],
    apply(definition, args: Json[], refuse) {
      const [name, port] = args as unknown as [string, Port];
      const known = ports(definition);
      if (Object.hasOwn(known, name))
        refuse(0, [], "value_invalid", `the port ${name} stands twice`, "remove one");
      known[name] = readPort(port, refuse);
    },
  };
}
